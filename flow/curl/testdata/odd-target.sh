curl --globoff --path-as-is --include --http1.1 \
  -H 'User-Agent: x' \
  -H 'Accept: */*' \
  --request-target '/a#b c'"$(printf '\351')" \
  https://api.test/
