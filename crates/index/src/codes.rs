//! The codes of this crate's diagnostics: one list, so that a code never changes its meaning.
//!
//! `docs/diagnostics.md` tells operators what to do about each; a test holds the two together.

// --- Workloads: what Marathon runs, and what it makes of the mesh ---

/// A name in the label `istio` is no host name.
pub const SERVICE_NAME: &str = "PH0202";
/// A label of the mesh's vocabulary (`istio.io/…`) has a value that cannot be used.
pub const LABEL_VALUE: &str = "PH0203";
/// A port speaks UDP only.
pub const UDP_PORT: &str = "PH0204";
/// A port from which no service port or no address follows.
pub const UNUSABLE_PORT: &str = "PH0205";
/// A port on a bridge network without a host port.
pub const SAME_AGENT_ONLY: &str = "PH0206";
/// An agent advertises a host name where an address is needed.
pub const AGENT_NAME: &str = "PH0207";
/// Two workloads declare one port of one service differently.
pub const PORT_CONFLICT: &str = "PH0208";
/// A network mode that Marathon's documentation does not know.
pub const NETWORK_MODE: &str = "PH0209";
/// A service name was changed into one that DNS can carry.
pub const NAME_CHANGED: &str = "PH0210";
/// A workload claims a service that belongs to another namespace or group.
pub const HOST_OWNED: &str = "PH0211";
/// Two groups become one namespace.
pub const NAMESPACE_SHARED: &str = "PH0212";

// --- Configuration: one object by itself ---

/// A spec cannot be decoded.
pub const UNREADABLE: &str = "PH0301";
/// A field that is not read.
pub const UNKNOWN_FIELD: &str = "PH0302";
/// A kind that is recognised and not yet in force.
pub const KIND_NOT_IN_FORCE: &str = "PH0303";
/// A list of hosts is empty.
pub const NO_HOSTS: &str = "PH0304";
/// A host is no host name, or not one that may stand there.
pub const BAD_HOST: &str = "PH0305";
/// An HTTP route has no action, or several.
pub const ROUTE_ACTION: &str = "PH0306";
/// A feature that is not supported yet.
pub const NOT_SUPPORTED: &str = "PH0307";
/// A destination is missing or incomplete.
pub const BAD_DESTINATION: &str = "PH0308";
/// Weights from which no distribution follows.
pub const BAD_WEIGHTS: &str = "PH0309";
/// Weights that do not add up to 100.
pub const WEIGHT_SUM: &str = "PH0310";
/// A fault with a percentage or status out of range.
pub const BAD_FAULT: &str = "PH0311";
/// A fault, or half of one, that never fires.
pub const SILENT_FAULT: &str = "PH0312";
/// A redirect or direct response that Envoy would refuse.
pub const BAD_RESPONSE: &str = "PH0313";
/// A regular expression that is not RE2 syntax.
pub const BAD_REGEX: &str = "PH0314";
/// A header that must not be named there, or a name or value that is none.
pub const BAD_HEADER: &str = "PH0315";
/// A rewrite that says nothing, or two things.
pub const BAD_REWRITE: &str = "PH0316";
/// A retry policy with a condition that Envoy does not know.
pub const BAD_RETRIES: &str = "PH0317";
/// A condition that cannot be compiled.
pub const BAD_MATCH: &str = "PH0318";
/// A server of a gateway without a usable port or protocol.
pub const BAD_SERVER: &str = "PH0319";
/// A subset's name is empty, malformed or given twice.
pub const BAD_SUBSET: &str = "PH0320";
/// A reference to a gateway is malformed.
pub const BAD_GATEWAY_REF: &str = "PH0321";

/// A condition of a tls or tcp route that cannot be compiled.
pub const BAD_CONNECTION_MATCH: &str = "PH0380";
/// A field of a tls or tcp route that has no effect.
pub const CONNECTION_FIELD_IGNORED: &str = "PH0381";
/// A server's TLS settings are missing, contradictory or not for its protocol.
pub const SERVER_TLS: &str = "PH0382";
/// A TLS mode that cannot be served.
pub const TLS_MODE: &str = "PH0383";
/// A TLS setting of a server that has no effect.
pub const TLS_FIELD_IGNORED: &str = "PH0384";
/// A field of a server that has no effect.
pub const SERVER_FIELD_IGNORED: &str = "PH0385";
/// Two servers of a gateway have the same name.
pub const SERVER_NAME: &str = "PH0386";

// --- Configuration: objects together ---

/// Two destination rules for one host define the same subset.
pub const SUBSET_TWICE: &str = "PH0331";
/// Two sources define the same object.
pub const OBJECT_TWICE: &str = "PH0332";
/// An older virtual service already routes the host on the mesh.
pub const HOST_TAKEN: &str = "PH0333";
/// A destination's host is not a service of the mesh.
pub const UNKNOWN_HOST: &str = "PH0334";
/// A destination's subset is not defined.
pub const UNKNOWN_SUBSET: &str = "PH0335";
/// A virtual service names a gateway that does not exist.
pub const UNKNOWN_GATEWAY: &str = "PH0336";
/// Gateways have servers of which one hides the other.
pub const GATEWAY_CONFLICT: &str = "PH0388";
/// Two servers of a port present the same certificate.
pub const SHARED_CERTIFICATE: &str = "PH0389";
/// No workload that a gateway selects has the port of a server.
pub const PORT_NOT_EXPOSED: &str = "PH0390";
/// A gateway's selector selects no instance.
pub const IDLE_GATEWAY: &str = "PH0337";

// --- HTTP routes ---

/// A CORS policy that browsers or Envoy would not understand.
pub const BAD_CORS: &str = "PH0338";
/// A mirror that is ambiguous, or has a percentage out of range.
pub const BAD_MIRROR: &str = "PH0339";
/// A route that delegates, or a delegate, has what it may not have.
pub const BAD_DELEGATE: &str = "PH0340";
/// A route delegates to a virtual service that does not exist or is no delegate.
pub const NO_DELEGATE: &str = "PH0341";
/// A delegate, or a route of it, that no route leads to.
pub const IDLE_DELEGATE: &str = "PH0342";
/// A route or condition that earlier ones leave nothing for.
pub const UNREACHABLE: &str = "PH0343";
/// A duration that is not a whole number of milliseconds.
pub const BAD_DURATION: &str = "PH0344";
/// A host of a virtual service that its gateways do not serve.
pub const HOST_NOT_SERVED: &str = "PH0345";
/// A field whose successor is given as well.
pub const SUPERSEDED: &str = "PH0346";
/// A destination without a port, of a service with several.
pub const PORT_OPEN: &str = "PH0347";
/// A destination's port that the service does not have.
pub const UNKNOWN_PORT: &str = "PH0348";
/// A field that has no effect beside others.
pub const NO_EFFECT: &str = "PH0349";

// --- The mesh config, and what extends generated configuration ---

/// A field of the mesh config that changes nothing.
pub const MESH_FIELD_IGNORED: &str = "PH0801";
/// A value of the mesh config that cannot be used.
pub const MESH_VALUE: &str = "PH0802";
/// A provider of a kind that is not supported.
pub const PROVIDER: &str = "PH0803";
// --- Traffic policies ---

/// A load balancer that does not exist, or two.
pub const BAD_LOAD_BALANCER: &str = "PH0350";
/// A consistent hash by nothing, by several things, or by something without a name.
pub const BAD_HASH: &str = "PH0351";
/// A hash table of a size that Envoy would refuse, or two tables.
pub const BAD_HASH_TABLE: &str = "PH0352";
/// A preference by locality that contradicts itself.
pub const BAD_LOCALITY: &str = "PH0353";
/// A limit of connections or requests out of range.
pub const BAD_POOL: &str = "PH0354";
/// Outlier detection with a number out of range.
pub const BAD_OUTLIER: &str = "PH0355";
/// A port's policy without a port, or two for one.
pub const BAD_PORT_POLICY: &str = "PH0357";
/// A tunnel, or a version of the proxy protocol, that does not exist.
pub const BAD_TUNNEL: &str = "PH0358";
/// A policy, or a block of one, that says nothing.
pub const EMPTY_POLICY: &str = "PH0359";
/// A later rule for the same host has a traffic policy, too.
pub const POLICY_TWICE: &str = "PH0360";
/// Failover by locality where failures are not detected.
pub const FAILOVER_WITHOUT_OUTLIERS: &str = "PH0361";
/// A warm-up without a duration, or with a number out of range.
pub const BAD_WARMUP: &str = "PH0362";
/// A subset that selects no instance.
pub const IDLE_SUBSET: &str = "PH0364";
/// A destination rule for a host that no workload provides.
pub const RULE_WITHOUT_HOST: &str = "PH0365";
/// A field of a policy without effect.
pub const POLICY_FIELD_IGNORED: &str = "PH0368";
/// TLS settings that contradict themselves.
pub const BAD_TLS: &str = "PH0356";
/// A rule hides the TLS settings of a wider one.
pub const TLS_HIDDEN: &str = "PH0363";
/// TLS that does not verify the server.
pub const UNVERIFIED_SERVER: &str = "PH0366";

// --- Authentication ---

/// A mesh policy that is not named `default`.
pub const POLICY_NAME: &str = "PH0601";
/// A policy whose name and targets contradict each other.
pub const POLICY_SCOPE: &str = "PH0602";
/// A target of a policy is no service, or a port of it is none.
pub const BAD_TARGET: &str = "PH0603";
/// What a policy demands of peers cannot be understood.
pub const BAD_PEER: &str = "PH0604";
/// What a policy says of end users has no effect.
pub const END_USERS: &str = "PH0605";
/// Labels of a target, which is a service as a whole.
pub const TARGET_LABELS: &str = "PH0606";
/// `peerIsOptional`, which changes nothing.
pub const PEER_OPTIONAL: &str = "PH0607";
/// A selector of workloads cannot be used.
pub const BAD_SELECTOR: &str = "PH0608";
/// Modes by port where no workloads are selected.
pub const PORTS_WITHOUT_SELECTOR: &str = "PH0609";
/// An older policy already holds for the same.
pub const AUTHENTICATION_TWICE: &str = "PH0610";
/// Marathon itself checks a port that takes mutual TLS only.
pub const CHECK_REFUSED: &str = "PH0614";
/// An authorization policy cannot be understood.
pub const BAD_AUTHORIZATION: &str = "PH0621";
/// An authorization policy that never applies.
pub const IDLE_AUTHORIZATION: &str = "PH0622";
/// An action of authorization that a plain Envoy cannot take.
pub const AUTHORIZATION_ACTION: &str = "PH0623";
/// An object of Istio's first authorization has no effect.
pub const IDLE_ROLE: &str = "PH0624";
/// A config of roles names a service that is not there.
pub const ROLE_SERVICE: &str = "PH0625";
/// What an object says of tokens cannot be understood.
pub const BAD_TOKENS: &str = "PH0631";
/// The keys of an issuer are where no proxy can ask for them.
pub const KEYS_NOWHERE: &str = "PH0632";
/// A policy aims at a service, or a port, that does not exist.
pub const IDLE_POLICY: &str = "PH0611";
/// Telemetry names a provider that the mesh config does not have.
pub const UNKNOWN_PROVIDER: &str = "PH0804";
/// A value of Telemetry that cannot be used.
pub const BAD_TELEMETRY: &str = "PH0805";
/// An expression that Envoy could not read.
pub const BAD_EXPRESSION: &str = "PH0806";
/// A part of Telemetry that has no effect.
pub const TELEMETRY_IGNORED: &str = "PH0807";
/// Two objects of kind Telemetry are for one whole namespace.
pub const TELEMETRY_TWICE: &str = "PH0808";
/// A ProxyConfig, which is not read over xDS.
pub const PROXY_CONFIG: &str = "PH0811";
/// A WasmPlugin or TrafficExtension, whose code a plain Envoy is not brought.
pub const PROXY_EXTENSION: &str = "PH0812";
/// A wrong field in an object of a kind that has no effect.
pub const BAD_WITHOUT_EFFECT: &str = "PH0813";
/// EnvoyFilter is off.
pub const ENVOY_FILTER_OFF: &str = "PH0820";
/// A patch that says what cannot be done.
pub const BAD_PATCH: &str = "PH0821";
/// A part of a patch that has no effect.
pub const PATCH_FIELD: &str = "PH0822";
/// A patch that never applies.
pub const PATCH_NEVER: &str = "PH0823";
/// A filter of Istio 1.0 whose configuration cannot be given a type.
pub const LEGACY_FILTER: &str = "PH0824";
// --- Service entries, and who sees what ---

/// An address of a service entry is neither an address nor a block.
pub const ENTRY_ADDRESS: &str = "PH0701";
/// A port of a service entry without a number, a name or a protocol of its own.
pub const ENTRY_PORT: &str = "PH0702";
/// A resolution or location that is none, or does not go with the hosts.
pub const ENTRY_RESOLUTION: &str = "PH0703";
/// Endpoints that the resolution does not allow, or lacks.
pub const ENTRY_ENDPOINTS: &str = "PH0704";
/// An endpoint or workload entry that cannot be reached.
pub const ENTRY_ENDPOINT: &str = "PH0705";
/// A list of namespaces that says two things, or nothing.
pub const EXPORT_TO: &str = "PH0706";
/// A TCP port of a service entry without an address.
pub const ENTRY_TCP: &str = "PH0707";
/// A field of an endpoint that means nothing here.
pub const ENTRY_IGNORED: &str = "PH0708";
/// A host that is described in two places which do not go together.
pub const ENTRY_CONFLICT: &str = "PH0709";
/// A service entry whose selector selects nothing.
pub const ENTRY_SELECTS_NONE: &str = "PH0710";
/// What is routed to names that are resolved as they are asked for, and asks for none.
pub const NAMELESS: &str = "PH0711";
/// A sidecar without listeners, or with an egress host that is none.
pub const SIDECAR_EGRESS: &str = "PH0720";
/// Listeners of a sidecar that cannot stand beside each other.
pub const SIDECAR_LISTENERS: &str = "PH0721";
/// An ingress listener without a port, or with an endpoint that is none.
pub const SIDECAR_INGRESS: &str = "PH0722";
/// A part of a sidecar that is not supported.
pub const SIDECAR_IGNORED: &str = "PH0723";
/// Another sidecar is in force for the same proxies.
pub const SIDECAR_CONFLICT: &str = "PH0724";
/// A sidecar whose selector selects no instance.
pub const SIDECAR_IDLE: &str = "PH0725";
/// A destination rule in a namespace where no caller takes notice of it.
pub const RULE_UNSEEN: &str = "PH0726";
/// Servers demand mutual TLS and callers send plaintext.
pub const PLAINTEXT_CALLERS: &str = "PH0612";
/// Callers use mutual TLS and servers take plaintext only.
pub const PLAINTEXT_SERVERS: &str = "PH0613";
