# shellcheck shell=bash

# message KIND TEXT shows TEXT as an error or a warning on the run's page. A workflow
# command is one line, so percent signs, carriage returns and newlines are encoded.
message() {
  local text=${2//'%'/%25}
  text=${text//$'\r'/%0D}
  echo "::$1 title=ghhelper::${text//$'\n'/%0A}"
}

annotate() { message error "$1"; }
warn() { message warning "$1"; }

# refuse TEXT annotates an error and exits with ghhelper's code for wrong usage, 2.
refuse() {
  annotate "$1"
  exit 2
}
