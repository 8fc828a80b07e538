# What a login of one stage in one environment may do; `make vault-setup` fills in the names.

# Read its own secret: no list, no metadata, nobody else's.
path "$mount/data/sentinel/$environment/$stage" {
  capabilities = ["read"]
}

# End. The default policy would allow this too, but much more with it.
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
