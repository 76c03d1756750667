curl --globoff --path-as-is --include --http1.1 \
  -H User-Agent: \
  -H Accept: \
  https://api.test/
