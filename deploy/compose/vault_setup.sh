#!/bin/sh
# Set up Vault's development server for compose.yaml, with the policies of vault/: secrets, roles, and the tokens that
# the stages log in with. In a cluster Kubernetes signs such tokens; here a key does that never leaves Vault.
set -eu

environment=laptop
token_days=30

has() { # KIND PATH: whether such a mount is there
    vault "$1" list -format=json | grep -q "\"$2/\""
}

encode() { # JSON web tokens know base64 without padding, with - and _
    base64 | tr -d '\n=' | tr '+/' '-_'
}

sign_token() { # STAGE: print the token of its service account
    now=$(date +%s)
    head=$(printf '{"alg":"ES256","typ":"JWT"}' | encode)
    claims=$(printf '{"iss":"compose","aud":"vault","sub":"system:serviceaccount:sentinel:%s","iat":%d,"exp":%d}' \
        "$1" "$now" "$((now + token_days * 86400))" | encode)
    signature=$(vault write -field=signature transit/sign/compose/sha2-256 marshaling_algorithm=jws \
        input="$(printf '%s.%s' "$head" "$claims" | base64 | tr -d '\n')")
    printf '%s.%s.%s' "$head" "$claims" "${signature##*:}"
}

give_access() { # STAGE KEY=VALUE…: its secret, policy, role and token
    stage=$1
    name="sentinel-$environment-$stage"
    shift
    vault kv put -mount=secret "sentinel/$environment/$stage" "$@" >/dev/null
    sed -e "s/\\\$mount/secret/g" -e "s/\\\$environment/$environment/g" -e "s/\\\$stage/$stage/g" "$POLICIES/policy.hcl" |
        vault policy write "$name" - >/dev/null
    vault write "auth/compose/role/$name" role_type=jwt user_claim=sub bound_audiences=vault \
        bound_subject="system:serviceaccount:sentinel:$stage" token_policies="$name" \
        token_ttl=120 token_max_ttl=300 token_num_uses=10 token_no_default_policy=true >/dev/null
    mkdir -p "$TOKENS/$stage"
    sign_token "$stage" >"$TOKENS/$stage/token.new"
    mv "$TOKENS/$stage/token.new" "$TOKENS/$stage/token"
    echo "Vault: $name can read its secret"
}

POLICIES=${POLICIES:-/policies}
TOKENS=${TOKENS:-/tokens}
MLFLOW=${MLFLOW:-/mlflow}
umask 077
has secrets transit || vault secrets enable transit
has auth compose || vault auth enable -path=compose jwt
vault write -f transit/keys/compose type=ecdsa-p256 >/dev/null
public_key=$(vault read -format=json transit/keys/compose | sed -n 's/.*"public_key": "\(.*\)".*/\1/p' |
    sed 's/\\n/\n/g')
vault write auth/compose/config jwt_validation_pubkeys="$public_key" >/dev/null

s3="SENTINEL_S3_ACCESS_KEY=$S3_ACCESS_KEY SENTINEL_S3_SECRET_KEY=$S3_SECRET_KEY"
# shellcheck disable=SC2086 # two words
{
    give_access data-fetch MONGODB_URI="$MONGODB_URI" ${GITHUB_TOKEN:+GITHUB_TOKEN="$GITHUB_TOKEN"}
    give_access spark-preprocess MONGODB_URI="$MONGODB_URI" $s3
    give_access ml-training $s3
    give_access model-serving $s3 ${API_TOKEN:+SENTINEL_API_TOKEN="$API_TOKEN"}
}
chown -R "$USER_ID:$USER_ID" "$TOKENS" "$MLFLOW"
