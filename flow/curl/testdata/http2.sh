curl --globoff --path-as-is --include --http2 \
  -H 'user-agent: x' \
  -H 'accept: */*' \
  -H 'te: trailers' \
  --cacert '/home/me/ca dir/ca.pem' \
  https://api.test/
