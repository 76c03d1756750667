curl --globoff --path-as-is --include --http1.1 \
  -H User-Agent: \
  -H Accept: \
  --connect-to ::10.0.0.5:8443 \
  --insecure \
  https://api.test/
