package cli

const explainHelp = `Explain whether a caller may invoke a procedure: yes or no, which part of the rule
decided, where the rule is written, what a token needs, and what a server answers.

The caller is described by
  --claims FILE   the claims of an access token, decoded, as a JSON object: iss, sub, aud,
                  client_id (or azp, cid, appid), scope (or scp), acr, auth_time, act, cnf,
                  and whatever else conditions ask for. They become facts as the default
                  mapping of the verifier makes them: the first of scope and scp counts,
                  and a token is one of a user if sub differs from the client. A rule can
                  ask for every claim in the file; the server has to be configured to keep
                  it.
  --scopes "A B"  the scopes of a token of which nothing else is known
Without either there is no token. Whether a server accepts the token at all (its signature,
issuer, audience and expiry) is not judged.

With --all every procedure is listed.

--request FILE has the message of a unary call, as JSON, for a condition that reads it.
Without it, and where a rule asks a policy decision point, the answer is unjudged if
everything else is met.

Exit codes:
  0  yes; or, with --all, the list was written
  1  no
  2  the policy cannot be read or has faults, there is no such procedure, or the command
     is wrong
  3  unjudged`

const explainExamples = `  drawbridge policy explain /orders.v1.OrderService/GetOrder --proto proto --scopes orders:read
  drawbridge policy explain /orders.v1.OrderService/RefundOrder --proto proto --claims claims.json
  drawbridge policy explain /orders.v1.OrderService/ListOrders --proto proto
  drawbridge policy explain /orders.v1.OrderService/GetInvoice --proto proto --claims claims.json --request request.json
  drawbridge policy explain --all --proto proto --file policy.yaml --claims claims.json
  drawbridge policy explain --all --proto proto --scopes "orders:read orders:write" -o json`
