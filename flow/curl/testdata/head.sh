curl --globoff --path-as-is --include --http1.1 \
  --head \
  -H 'User-Agent: x' \
  -H 'Accept: */*' \
  --insecure \
  https://api.test/
