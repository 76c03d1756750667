: "${S:?x}" && \
{ base64 -d <<'B64'; printf %s "$S"; base64 -d <<'B64'; printf %s "$S"; } | \
curl --globoff --path-as-is --include --http1.1 \
  -X POST \
  -H 'User-Agent: x' \
  -H 'Accept: */*' \
  -H 'Content-Type: a/b' \
  -H Expect: \
  --data-binary @- \
  https://api.test/
DQo=
B64
AA==
B64
