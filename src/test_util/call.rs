//! What a grant was asked.

use crate::token::Token;
use crate::transport::Transport;

/// One call of a [`ScriptedGrant`](super::ScriptedGrant): what the layer wanted of it.
#[derive(Clone, Debug)]
pub struct Call {
    previous: Option<Token>,
    is_ahead: bool,
    is_asked_for: bool,
}

impl Call {
    pub(super) fn new(previous: Option<Token>, http: &Transport) -> Self {
        Self { previous, is_ahead: http.is_ahead(), is_asked_for: http.is_asked_for() }
    }

    /// The token that the layer had: expired, refused or due. `None` for the first one, and after
    /// [`Tokens::forget`](crate::Tokens::forget).
    pub fn previous(&self) -> Option<&Token> {
        self.previous.as_ref()
    }

    /// Whether the previous token still served: requests went on with it meanwhile.
    pub fn is_ahead(&self) -> bool {
        self.is_ahead
    }

    /// Whether it was [`Tokens::refresh`](crate::Tokens::refresh) that asked, and not a request.
    pub fn is_asked_for(&self) -> bool {
        self.is_asked_for
    }
}
