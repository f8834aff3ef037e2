//! Classifies network errors without keeping the texts of other crates.

use std::error::Error as StdError;
use std::io;

use super::display::MAX_CAUSES;
use super::opaque::Error;

/// The usual causes of a failed connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NetworkCause {
    // In ascending order of precision: if a chain of errors has several causes, the last one counts.
    Tls,
    TimedOut,
    Reset,
    Unreachable,
    ConnectionRefused,
    Dns,
    Certificate,
    ClientCertificate,
}

impl Error {
    /// Returns why the server could not be reached, if the cause is one of the usual ones.
    pub(crate) fn network_cause(&self) -> Option<NetworkCause> {
        NetworkCause::of(self)
    }
}

impl NetworkCause {
    /// Searches the sources of `error` for a known cause.
    fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        let chain = std::iter::successors(error.source(), |&error| error.source());
        chain.take(MAX_CAUSES).filter_map(Self::of_one).max()
    }

    fn of_one(error: &(dyn StdError + 'static)) -> Option<Self> {
        let kind = error.downcast_ref::<io::Error>().and_then(|error| Self::of_kind(error.kind()));
        kind.max(Self::of_text(&error.to_string().to_ascii_lowercase()))
    }

    fn of_kind(kind: io::ErrorKind) -> Option<Self> {
        use io::ErrorKind as Kind;
        Some(match kind {
            Kind::ConnectionRefused => Self::ConnectionRefused,
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => Self::Reset,
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::AddrNotAvailable => Self::Unreachable,
            Kind::TimedOut => Self::TimedOut,
            _ => return None,
        })
    }

    /// Compares texts, because each HTTP client wraps the errors of the system and of the TLS library in its own types.
    fn of_text(text: &str) -> Option<Self> {
        const TEXTS: [(&str, NetworkCause); 12] = [
            ("certificate", NetworkCause::Certificate),
            ("dns error", NetworkCause::Dns),
            ("failed to lookup address", NetworkCause::Dns),
            ("name or service not known", NetworkCause::Dns),
            ("no such host", NetworkCause::Dns),
            ("connection refused", NetworkCause::ConnectionRefused),
            ("unreachable", NetworkCause::Unreachable),
            ("connection reset", NetworkCause::Reset),
            ("timed out", NetworkCause::TimedOut),
            ("received fatal alert", NetworkCause::Tls),
            ("tls", NetworkCause::Tls),
            ("ssl", NetworkCause::Tls),
        ];
        // An alert about a certificate is about that of the client. OpenSSL writes `alert unknown ca`, and rustls `alert: UnknownCA`.
        if text.contains("alert") && ["certificate", "unknown ca", "unknownca"].iter().any(|name| text.contains(name)) {
            return Some(Self::ClientCertificate);
        }
        TEXTS.into_iter().find(|(pattern, _)| text.contains(pattern)).map(|(_, cause)| cause)
    }

    /// Returns the value for logs. Queries and alerts depend on it, so it must not change.
    #[cfg(feature = "tracing")]
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::TimedOut => "timed_out",
            Self::Reset => "connection_reset",
            Self::Unreachable => "unreachable",
            Self::ConnectionRefused => "connection_refused",
            Self::Dns => "dns",
            Self::Certificate => "certificate",
            Self::ClientCertificate => "client_certificate",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{BoxError, ErrorKind};

    fn cause(source: impl Into<BoxError>) -> Option<NetworkCause> {
        NetworkCause::of(&Error::caused_by(ErrorKind::Transport, source))
    }

    #[test]
    fn usual_causes_are_found_in_the_errors_of_any_client() {
        for (text, expected) in [
            ("dns error: failed to lookup address information: Name or service not known", NetworkCause::Dns),
            ("invalid peer certificate: UnknownIssuer", NetworkCause::Certificate),
            ("received fatal alert: HandshakeFailure", NetworkCause::Tls),
            ("received fatal alert: CertificateRequired", NetworkCause::ClientCertificate),
            ("received fatal alert: UnknownCA", NetworkCause::ClientCertificate),
            ("error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca", NetworkCause::ClientCertificate),
            ("tls: failed to verify certificate", NetworkCause::Certificate),
            ("tcp connect error: Connection refused (os error 111)", NetworkCause::ConnectionRefused),
            ("Network is unreachable (os error 101)", NetworkCause::Unreachable),
            ("operation timed out", NetworkCause::TimedOut),
        ] {
            assert_eq!(cause(text), Some(expected), "{text}");
        }
        assert_eq!(cause(io::Error::from(io::ErrorKind::UnexpectedEof)), Some(NetworkCause::Reset));
        assert_eq!(cause("the pool is closed"), None);
        assert_eq!(NetworkCause::of(&Error::new(ErrorKind::Transport, "tls")), None, "only sources are searched");
    }

    #[test]
    fn the_most_precise_cause_of_a_chain_counts() {
        let error = Error::caused_by(ErrorKind::Transport, io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(cause(error), Some(NetworkCause::ConnectionRefused));
        let certificate = io::Error::new(io::ErrorKind::ConnectionReset, "invalid peer certificate: Expired");
        assert_eq!(cause(certificate), Some(NetworkCause::Certificate));
    }

    /// The source of an `io::Error` that wraps an error is the source of that error. Its text is the text of that error.
    #[test]
    fn an_error_inside_an_io_error_counts() {
        let inner = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(cause(inner), Some(NetworkCause::ConnectionRefused));
    }
}
