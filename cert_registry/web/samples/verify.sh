set -eu
packed() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
now=$(date +%s)
header=$(printf '{"alg":"RS256","kid":"%s"}' "$KID" | packed)
claims=$(printf '{"iss":"%s","sub":"%s","aud":"%s/oauth2/token","iat":%d,"exp":%d,"jti":"%s"}' \
  "$CLIENT" "$CLIENT" "$BASE" "$now" "$((now + 55))" "$(openssl rand -hex 16)" | packed)
signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -sign "$KEY" | packed)
token=$(curl -sf "$BASE/oauth2/token" \
  -d grant_type=client_credentials \
  -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
  -d "client_assertion=$header.$claims.$signature" | sed 's/.*"access_token": *"\([^"]*\)".*/\1/')
curl -s "$BASE/api/v1/verify/identifier" \
  -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
  -d "{\"identifier\":\"$IDENTIFIER\",\"purpose\":\"受理申请\",\"matter\":\"$MATTER\"}"
