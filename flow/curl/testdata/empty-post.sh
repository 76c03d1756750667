curl --globoff --path-as-is --include --http1.1 \
  -X POST \
  -H 'Content-Length: 0' \
  -H 'User-Agent: x' \
  -H 'Accept: */*' \
  https://api.test/
