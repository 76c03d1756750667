: "${WHY403_SECRET_PASSWORD_1:?the password}" && \
: "${WHY403_SECRET_TOKEN_1:?the bearer token}" && \
curl --globoff --path-as-is --include --http1.1 \
  -X POST \
  -H 'User-Agent: x' \
  -H 'Accept: */*' \
  -H 'Content-Type: application/x-www-form-urlencoded' \
  -H 'Authorization: Bearer '"$WHY403_SECRET_TOKEN_1" \
  -H Expect: \
  --data-raw 'a=1&password='"$WHY403_SECRET_PASSWORD_1" \
  https://api.test/
