//! A subscriber that records all spans and events.

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
pub(crate) struct Recorded(Arc<Mutex<All>>);

#[derive(Default)]
pub(crate) struct All {
    pub(crate) spans: Vec<Span>,
    pub(crate) events: Vec<RecordedEvent>,
}

#[derive(Clone, Debug)]
pub(crate) struct Span {
    id: Id,
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    pub(crate) fields: Fields,
    pub(crate) parent: Option<&'static str>,
    pub(crate) follows: Vec<&'static str>,
    /// The fields that were recorded twice. A log prints them twice.
    pub(crate) repeated: Vec<&'static str>,
    pub(crate) is_closed: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct RecordedEvent {
    pub(crate) level: Level,
    pub(crate) target: &'static str,
    pub(crate) fields: Fields,
    /// The spans of the event, outermost first.
    pub(crate) within: Vec<&'static str>,
}

impl Recorded {
    /// Installs the subscriber for this thread, until the guard is dropped.
    pub(crate) fn install() -> (Self, DefaultGuard) {
        let recorded = Self::default();
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(recorded.clone()));
        (recorded, guard)
    }

    pub(crate) fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap()
    }

    /// Returns the spans of refreshes, in the order of their creation.
    pub(crate) fn refresh_spans(&self) -> Vec<Span> {
        self.all().spans.iter().filter(|span| span.name == "oauth2.token").cloned().collect()
    }

    /// Returns the events of the crate with this message.
    pub(crate) fn events(&self, message: &str) -> Vec<RecordedEvent> {
        let all = self.all();
        let ours = all.events.iter().filter(|event| event.target == "tower_oauth2");
        ours.filter(|event| event.fields["message"] == message).cloned().collect()
    }

    /// Returns the only event of the crate with this message.
    pub(crate) fn event(&self, message: &str) -> RecordedEvent {
        let mut events = self.events(message);
        assert_eq!(events.len(), 1, "{message}: {events:?}");
        events.remove(0)
    }

    fn span(&self, id: &Id, change: impl FnOnce(&mut Span)) {
        // The newest span, because the id of a closed span is reused.
        change(self.all().spans.iter_mut().rfind(|span| span.id == *id).unwrap());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorded {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut FieldVisitor(&mut fields));
        let parent = context.span(id).and_then(|span| span.parent()).map(|parent| parent.name());
        let (name, level) = (attributes.metadata().name(), *attributes.metadata().level());
        let (follows, repeated) = (Vec::new(), Vec::new());
        let span = Span { id: id.clone(), name, level, fields, parent, follows, repeated, is_closed: false };
        self.all().spans.push(span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.span(id, |span| {
            let mut new = Fields::new();
            values.record(&mut FieldVisitor(&mut new));
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
        event.record(&mut FieldVisitor(&mut fields));
        let within = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let within = within.map(|span| span.name()).collect();
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        self.all().events.push(RecordedEvent { level, target, fields, within });
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.span(&id, |span| span.is_closed = true);
    }
}

struct FieldVisitor<'a>(&'a mut Fields);

impl Visit for FieldVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl RecordedEvent {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

impl Span {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}
