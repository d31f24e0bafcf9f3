# shellcheck shell=bash

# annotate TEXT shows TEXT, which may have many lines, as an error on the page
# of the run. The runner reads one line, with these three characters encoded.
annotate() {
  local text=${1//'%'/%25}
  text=${text//$'\r'/%0D}
  echo "::error title=ghhelper::${text//$'\n'/%0A}"
}

# refuse TEXT ends the script as ghhelper does for wrong usage, with 2.
refuse() {
  annotate "$1"
  exit 2
}
