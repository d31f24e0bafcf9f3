# shellcheck shell=bash

# message KIND TEXT shows TEXT, which may have many lines, as an error or a warning
# on the page of the run. The runner reads one line, with these three characters
# encoded.
message() {
  local text=${2//'%'/%25}
  text=${text//$'\r'/%0D}
  echo "::$1 title=ghhelper::${text//$'\n'/%0A}"
}

annotate() { message error "$1"; }
warn() { message warning "$1"; }

# refuse TEXT ends the script as ghhelper does for wrong usage, with 2.
refuse() {
  annotate "$1"
  exit 2
}
