curl --globoff --path-as-is --include --http1.1 \
  -X GET \
  -H User-Agent: \
  -H Accept: \
  -H Content-Type: \
  -H Expect: \
  --data-raw q \
  https://api.test/
