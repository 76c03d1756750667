curl --globoff --path-as-is --include --http2 \
  -H 'Host: other.test' \
  -H 'user-agent: x' \
  -H 'accept: */*' \
  https://api.test/
