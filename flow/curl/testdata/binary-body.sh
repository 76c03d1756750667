base64 -d <<'B64' | \
curl --globoff --path-as-is --include --http1.1 \
  -X POST \
  -H 'User-Agent: x' \
  -H 'Accept: */*' \
  -H 'Content-Type: a/b' \
  -H Expect: \
  --data-binary @- \
  https://api.test/
AP8NCkA=
B64
