//! The layer that gathers an event's fields, and those of the spans around it, into one line.

use std::io::Write;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::lines::{Line, Style};
use crate::clock::SharedClock;

/// Writes one line an event.
pub(super) struct Lines<W> {
    style: Style,
    clock: SharedClock,
    out: W,
}

impl<W> Lines<W> {
    pub(super) fn new(style: Style, clock: SharedClock, out: W) -> Self {
        Self { style, clock, out }
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.extend(of_span);
            }
        }
        let mut of_event = Fields::default();
        event.record(&mut of_event);
        fields.extend(&of_event);
        let line = Line::new(self.clock.now(), event.metadata(), fields);
        // In one piece, so that lines of several threads do not mix. Whoever reads may have gone; that is no
        // reason to stop working, and there is nowhere to complain.
        let _ = self.out.make_writer_for(event.metadata()).write_all(line.draw(self.style).as_bytes());
    }
}
