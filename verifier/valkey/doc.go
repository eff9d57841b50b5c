// Package valkey keeps on a Valkey or Redis server what replicas have to share: which
// DPoP proofs were used, and which users, sessions and clients were cut off.
//
// A [ProofStore] is a store for package proof, so that a proof is accepted once by all
// replicas together (RFC 9449 §11.1):
//
//	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"redis:6379"}})
//	store, err := valkey.NewProofStore(valkey.ProofStoreConfig{Client: client})
//	dpop, err := proof.NewDPoP(proof.DPoPConfig{Store: store})
//
// [Cutoffs] carries each cut-off to all replicas:
//
//	cutoffs, err := valkey.NewCutoffs(valkey.CutoffsConfig{Client: client, Apply: tokens.CutOff})
//	go cutoffs.Follow(ctx)
//	err = cutoffs.CutOff(ctx, verifier.Cutoff{Issuer: issuer, Subject: "ada"})
//
// # The client
//
// The client is the user's own, for a single server, a cluster or Sentinel, and is not
// closed. It must send writes to a primary. Redis 6.2, Valkey 7.2 or later is required.
// rueidis.NewClient fails if no server answers, unless its option ForceSingleClient is
// set: it then returns the client beside the error, and a process can start before the
// server does. Nothing of this package uses client-side caching or scripts.
//
// rueidis does not repeat SET, with or without its option DisableRetry. If a connection
// breaks after SET was sent and before the answer, the proof is refused as unavailable and
// may have been recorded. Were SET repeated nevertheless, as by a proxy, it would find its
// own record, and the proof would be refused as used. Neither accepts a proof twice. A
// cut-off is repeated, unless DisableRetry is set, because that does no harm.
//
// Commands have a time limit of their own, which is not that of the request: a client
// that sends requests with tiny deadlines ends its own waiting, and not the connection,
// which all requests share.
//
// # Faults
//
// What a request with a proof gets, and what a cut-off does:
//
//	fault of the server        ProofStore                        Cutoffs
//
//	down, unreachable          503                               CutOff and Ready return errors, one record in the log;
//	                                                             what is cut off stays so, and the rest comes with the connection
//	down, and Dangerously-     accepted once by each process,    as above
//	AcceptWhileDown            records in the log with a count
//	slow, paused               503 after Timeout                 as down
//	more requests at once      wait until Timeout for one of     –
//	than it answers            1,000 places, then 503, also
//	                           with DangerouslyAcceptWhileDown
//	connection lost            503 for requests on their way,    read again from the beginning
//	                           and for the next one over each
//	                           connection of the client
//	full (noeviction)          503                               CutOff returns an error; Follow goes on
//	evicts keys                503, until it does not            Ready returns an error, for allkeys-* alone
//	does not answer INFO       503, unless Dangerously-          Ready returns an error, unless DangerouslyAssumeNoEviction
//	                           AssumeNoEviction
//	wrong password, a command  503                               as down
//	that an ACL denies
//	another type at the key    401: the record counts as used    as down
//	loading, failing over      503                               as down
//	restarted without its      what it held is accepted once     replicas that run keep what they have; the log says that
//	data; a failover that      more, until it is too old         replicas that start do not get it
//	loses the last writes
//
// A 503 is [token.ErrUnavailable]: the client may repeat the request with another proof.
//
// # What the server must be
//
// It must not evict. A server whose maxmemory is set and whose maxmemory-policy is not
// noeviction forgets proofs before their time. This package asks each node for it with
// INFO memory, which managed services answer too, and never with CONFIG, which they do
// not: before the first proof, and again every minute.
//
// It should not lose writes. Replication is asynchronous: a failover forgets what the
// new primary had not received, usually the last milliseconds, and these proofs are
// accepted once more. min-replicas-to-write bounds that, nonces bound for how long a
// proof is of use ([proof.DPoPConfig].NonceKeys), and appendonly keeps the records over
// a restart, up to the last second with appendfsync everysec. Cut-offs need appendonly:
// they are of use for a day, and exist nowhere else.
//
// # Clocks
//
// The clocks of replicas may differ by 30 seconds, whatever the Leeway of the
// [proof.DPoPConfig]. If they differ by more, a proof of a client whose clock is ahead by
// that Leeway may be accepted twice: first by a replica that is ahead, and, when the record
// has ended, by one that is behind. A record is held for a duration from its use on, so
// that it depends neither on the iat of the proof nor on what the clock of the server says.
// One that jumps ahead ends records early.
//
// The Until of a cut-off, and not the time at which the server has added it, decides
// whether replicas that start need it, and when it is removed. A clock of the server that is
// wrong, or goes back, loses none. A cut-off that is too old by the clock of one replica is
// removed only if it is so by that of the server, too, and fifteen minutes later.
//
// Nothing on the server is secret, and all of it is believed: those who may write there
// can have proofs refused, and users cut off; those who may delete can have a proof
// accepted again. The commands are SET and INFO for a ProofStore, and XADD, XDEL, XREAD
// and INFO for Cutoffs, on keys below the prefix:
//
//	ACL SETUSER drawbridge on >… resetkeys ~drawbridge:* -@all +hello +ping +client +cluster +set +info +xadd +xdel +xread
package valkey
