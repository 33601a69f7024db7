//! What a route is for. The layers treat its requests accordingly.

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is a client's, of one of the service's own routes.
    Ordinary,
    /// It is the kubelet's. It is answered while the service starts, is shown in the mirror, and doesn't
    /// count as a client's request after the stop signal.
    Probe(Probe),
    /// It is an observer's, such as for metrics. It is answered as a probe is, and leaves no trace: it
    /// isn't counted, and no fault switch acts on it.
    Operations,
    /// No route has its path.
    Unmatched,
}

impl Kind {
    /// Whether the cluster sends it, and no client.
    pub(super) fn is_of_the_cluster(self) -> bool {
        matches!(self, Self::Probe(_) | Self::Operations)
    }
}

/// The kinds of probes, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    Liveness,
    Readiness,
    Startup,
    Grpc,
}

impl Probe {
    pub(crate) const ALL: [Self; 4] = [Self::Liveness, Self::Readiness, Self::Startup, Self::Grpc];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
            Self::Startup => "startup",
            Self::Grpc => "grpc",
        }
    }
}
