"""Events of audit trails."""

from events.audit_trail import AuditRead

SAMPLES = (
    AuditRead(
        filters={"at": "2026-11-01T12:00Z", "limit": "10"},
        operation="audit.customers.events",
        subject="customer-cus_9s6XKzkNRiz8i3",
    ),
)
