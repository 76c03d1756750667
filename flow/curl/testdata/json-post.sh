curl --globoff --path-as-is --include --http1.1 \
  -X POST \
  -H 'User-Agent: app/1.0' \
  -H 'Accept: */*' \
  -H 'Content-Type: application/json' \
  -H 'Content-Length: 30' \
  -H 'Accept-Encoding: gzip, br' \
  -H 'X-Empty;' \
  -H Expect: \
  --compressed \
  --data-raw '{"name":"it'\''s",
 "x":"\n"}
' \
  https://api.test/
