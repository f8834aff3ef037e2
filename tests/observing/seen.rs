//! A subscriber that keeps all it is told.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

type Fields = BTreeMap<&'static str, String>;

#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<All>>);

#[derive(Default)]
pub(crate) struct All {
    pub(crate) spans: Vec<Span>,
    pub(crate) events: Vec<Told>,
}

#[derive(Clone, Debug)]
pub(crate) struct Span {
    id: Id,
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    pub(crate) fields: Fields,
    pub(crate) parent: Option<&'static str>,
    pub(crate) follows: Vec<&'static str>,
    /// The fields that were recorded twice: a log prints them twice.
    pub(crate) repeated: Vec<&'static str>,
    pub(crate) is_closed: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) level: Level,
    pub(crate) target: &'static str,
    pub(crate) fields: Fields,
    /// The spans around it, outermost first.
    pub(crate) within: Vec<&'static str>,
}

impl Seen {
    /// Listens on this thread, until what is returned is dropped.
    pub(crate) fn listen() -> (Self, DefaultGuard) {
        let seen = Self::default();
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(seen.clone()));
        (seen, guard)
    }

    pub(crate) fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap()
    }

    /// The spans of flights, in the order of their begin.
    pub(crate) fn flights(&self) -> Vec<Span> {
        self.all().spans.iter().filter(|span| span.name == "oauth2.token").cloned().collect()
    }

    /// The events of the crate with this message.
    pub(crate) fn events(&self, message: &str) -> Vec<Told> {
        let all = self.all();
        let ours = all.events.iter().filter(|event| event.target == "tower_oauth2");
        ours.filter(|event| event.fields["message"] == message).cloned().collect()
    }

    /// The one event of the crate with this message.
    pub(crate) fn event(&self, message: &str) -> Told {
        let mut events = self.events(message);
        assert_eq!(events.len(), 1, "{message}: {events:?}");
        events.remove(0)
    }

    fn span(&self, id: &Id, change: impl FnOnce(&mut Span)) {
        // The newest, for an id is used again after its span was closed.
        change(self.all().spans.iter_mut().rfind(|span| span.id == *id).unwrap());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut Keeper(&mut fields));
        let parent = context.span(id).and_then(|span| span.parent()).map(|parent| parent.name());
        let (name, level) = (attributes.metadata().name(), *attributes.metadata().level());
        let (follows, repeated) = (Vec::new(), Vec::new());
        let span = Span { id: id.clone(), name, level, fields, parent, follows, repeated, is_closed: false };
        self.all().spans.push(span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.span(id, |span| {
            let mut new = Fields::new();
            values.record(&mut Keeper(&mut new));
            span.repeated.extend(new.keys().filter(|name| span.fields.contains_key(*name)));
            span.fields.append(&mut new);
        });
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        let follows = context.span(follows).unwrap().name();
        self.span(id, |span| span.follows.push(follows));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Keeper(&mut fields));
        let within = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let within = within.map(|span| span.name()).collect();
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        self.all().events.push(Told { level, target, fields, within });
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.span(&id, |span| span.is_closed = true);
    }
}

struct Keeper<'a>(&'a mut Fields);

impl Visit for Keeper<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Told {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

impl Span {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}
