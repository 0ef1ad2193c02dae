"""The decisions about a payment method, and about a customer's, as given, when, then; without doubles."""

from dataclasses import replace

from hypothesis import given as for_all
from hypothesis import strategies as st

from events import payment_method
from events.card import Card
from events.customer import CUSTOMER, CustomerCreated, CustomerDeleted, CustomerUpdated, DeleteCustomer, UpdateCustomer
from events.customer import payment_methods as attachments
from events.customer.payment_methods import (
    COUNT_MAX,
    AttachPaymentMethod,
    DetachPaymentMethod,
    PaymentMethodAttached,
    PaymentMethodDetached,
)
from events.decider import Decider
from events.errors import Declined, Missing, Refusal
from events.payment_method import (
    PAYMENT_METHOD,
    UNEXPECTED,
    AttachedToCustomer,
    AttachToCustomer,
    Attributes,
    BillingDetails,
    CreatePaymentMethod,
    DetachedFromCustomer,
    DetachFromCustomer,
    EditPaymentMethod,
    PaymentMethodCreated,
    PaymentMethodEdited,
)
from events.values import Address
from tests.spec import given

ID = "pm_1"
CARD = Card(brand="visa", exp_month=2, exp_year=2028, last4="4242", cvc_check="unchecked")
CHECKS = {"address_line1_check": None, "address_zip_check": None, "cvc_check": "pass"}
ATTACHED = AttachedToCustomer(checks=CHECKS, customer="cus_1", id=ID)
DETACHED = DetachedFromCustomer(customer="cus_1", id=ID)
ATTACHMENTS = Decider("attachments", attachments.NONE, attachments.decide, attachments.evolve)
CUSTOMER_CREATED = CustomerCreated(id="cus_1", created=1, attributes={})


def created(card: Card | None = CARD, **attributes: object) -> PaymentMethodCreated:
    kept: Attributes = attributes  # type: ignore[assignment]  # a test's shorthand
    if card is not None:
        kept["card"] = card
    return PaymentMethodCreated(attributes=kept, created=1, id=ID, token=None, type="card" if card else "sepa_debit")


def test_one_is_made_with_what_was_sent_and_is_nobodys() -> None:
    command = CreatePaymentMethod(
        id=ID,
        card=CARD,
        created=1,
        patch={"allow_redisplay": "unspecified", "metadata": {"a": "b", "c": ""}, "billing_details": {"name": "Ada"}},
        type="card",
    )
    state = (
        given(PAYMENT_METHOD)
        .when(command)
        .then(created(billing_details=BillingDetails(name="Ada"), metadata={"a": "b"}))
    )
    assert (state.card, state.customer, state.spent) == (CARD, None, False)


def test_of_another_type_its_details_are_kept() -> None:
    details = {"last4": "3000", "country": "DE"}
    command = CreatePaymentMethod(id=ID, created=1, details=details, patch={}, type="sepa_debit")
    state = given(PAYMENT_METHOD).when(command).then(created(None, details=details))
    assert (state.card, state.details) == (None, details)


def test_it_is_attached_to_one_customer_and_its_card_is_checked() -> None:
    attach = AttachToCustomer(id=ID, customer="cus_1")
    state = given(PAYMENT_METHOD, created()).when(attach).then(ATTACHED)
    assert (state.customer, state.card) == ("cus_1", replace(CARD, cvc_check="pass"))
    given(PAYMENT_METHOD, created(), ATTACHED).when(attach).nothing_happens()
    given(PAYMENT_METHOD, created(), ATTACHED).when(AttachToCustomer(id=ID, customer="cus_2")).refused(code=UNEXPECTED)


def test_a_card_that_is_no_good_is_declined() -> None:
    refusal = (
        given(PAYMENT_METHOD, created(replace(CARD, trait="insufficient_funds")))
        .when(AttachToCustomer(id=ID, customer="cus_1"))
        .refused(Declined, code="card_declined")
    )
    assert isinstance(refusal, Declined)
    assert refusal.decline_code == "insufficient_funds"


def test_once_detached_nobody_uses_it_again() -> None:
    state = given(PAYMENT_METHOD, created(), ATTACHED).when(DetachFromCustomer(id=ID)).then(DETACHED)
    assert (state.customer, state.spent) == (None, True)
    over = (created(), ATTACHED, DETACHED)
    for customer in ("cus_1", "cus_2"):
        given(PAYMENT_METHOD, *over).when(AttachToCustomer(id=ID, customer=customer)).refused(code=UNEXPECTED)
    for history in ((created(),), over):
        given(PAYMENT_METHOD, *history).when(DetachFromCustomer(id=ID)).refused(code=UNEXPECTED)
        given(PAYMENT_METHOD, *history).when(EditPaymentMethod(id=ID, patch={})).refused(code=UNEXPECTED)


def test_an_edit_records_only_what_truly_changed() -> None:
    history = (created(billing_details=BillingDetails(name="Ada", email="a@b.co"), metadata={"a": "b"}), ATTACHED)
    given(PAYMENT_METHOD, *history).when(
        EditPaymentMethod(
            id=ID,
            patch={
                "allow_redisplay": "always",
                "billing_details": {"email": None, "address": Address(city="Bern")},
                "card": {"exp_year": 2030},
                "metadata": {"a": "", "c": "d"},
            },
        )
    ).then(
        PaymentMethodEdited(
            attributes={
                "allow_redisplay": "always",
                "billing_details": BillingDetails(address=Address(city="Bern"), name="Ada"),
                "card": replace(CARD, cvc_check="pass", exp_year=2030),
                "metadata": {"c": "d"},
            },
            id=ID,
        )
    )
    given(PAYMENT_METHOD, *history).when(
        EditPaymentMethod(id=ID, patch={"billing_details": {"name": "Ada"}, "card": {"exp_month": 2}, "metadata": {}})
    ).nothing_happens()


def test_each_type_has_details_of_its_own() -> None:
    bank = (created(None, details={"last4": "3000"}), replace(ATTACHED, checks={}))
    given(PAYMENT_METHOD, *bank).when(EditPaymentMethod(id=ID, patch={"card": {"exp_year": 2030}})).refused(
        param="card"
    )
    given(PAYMENT_METHOD, created(), ATTACHED).when(
        EditPaymentMethod(id=ID, patch={"details": {"account_type": "savings"}})
    ).refused(param="details")


def test_one_that_never_was_is_missing() -> None:
    for command in (
        AttachToCustomer(id=ID, customer="cus_1"),
        DetachFromCustomer(id=ID),
        EditPaymentMethod(id=ID, patch={}),
    ):
        given(PAYMENT_METHOD).when(command).refused(Missing, code="resource_missing", param="id")


def test_a_customer_knows_which_are_attached() -> None:
    one = PaymentMethodAttached(at=5, id=ID)
    state = given(ATTACHMENTS).when(AttachPaymentMethod(id=ID, at=5)).then(one)
    assert state.attached == (ID,)
    given(ATTACHMENTS, one).when(AttachPaymentMethod(id=ID, at=6)).nothing_happens()
    given(ATTACHMENTS, one).when(DetachPaymentMethod(id=ID, at=6)).then(PaymentMethodDetached(at=6, id=ID))
    given(ATTACHMENTS).when(DetachPaymentMethod(id=ID, at=6)).nothing_happens()


def test_a_customer_has_five_hundred_at_most() -> None:
    full = [PaymentMethodAttached(at=5, id=f"pm_{n}") for n in range(COUNT_MAX)]
    given(ATTACHMENTS, *full).when(AttachPaymentMethod(id="pm_x", at=5)).refused(code="customer_max_payment_methods")


def test_the_default_is_one_that_is_attached() -> None:
    attached = (CUSTOMER_CREATED, PaymentMethodAttached(at=5, id=ID))
    name = UpdateCustomer(id="cus_1", patch={"default_payment_method": ID})
    given(CUSTOMER, *attached).when(name).then(CustomerUpdated(attributes={"default_payment_method": ID}))
    refusal = (
        given(CUSTOMER, CUSTOMER_CREATED)
        .when(name)
        .refused(code="resource_missing", param="invoice_settings[default_payment_method]")
    )
    assert ID in refusal.message


def test_the_default_is_cleared_when_it_is_detached() -> None:
    history = (
        CUSTOMER_CREATED,
        PaymentMethodAttached(at=5, id=ID),
        PaymentMethodAttached(at=5, id="pm_2"),
        CustomerUpdated(attributes={"default_payment_method": ID}),
    )
    state = (
        given(CUSTOMER, *history)
        .when(DetachPaymentMethod(id=ID, at=6))
        .then(PaymentMethodDetached(at=6, id=ID), CustomerUpdated(attributes={"default_payment_method": None}))
    )
    assert state.profile.default_payment_method is None
    given(CUSTOMER, *history).when(DetachPaymentMethod(id="pm_2", at=6)).then(PaymentMethodDetached(at=6, id="pm_2"))


def test_they_end_with_the_customer() -> None:
    history = (CUSTOMER_CREATED, PaymentMethodAttached(at=5, id=ID))
    given(CUSTOMER, *history).when(DeleteCustomer(id="cus_1", at=7)).then(
        PaymentMethodDetached(at=7, id=ID), CustomerDeleted(id="cus_1")
    )


@for_all(asked=st.lists(st.tuples(st.sampled_from(["attach", "detach"]), st.integers(0, 1)), max_size=12))
def test_it_is_never_two_customers_and_never_anybodys_again(asked: list[tuple[str, int]]) -> None:
    state = payment_method.evolve(payment_method.NO_METHOD, created())
    owners: list[str] = []
    for what, who in asked:
        command: payment_method.Command = (
            AttachToCustomer(id=ID, customer=f"cus_{who}") if what == "attach" else DetachFromCustomer(id=ID)
        )
        try:
            events = payment_method.decide(state, command)
        except Refusal:
            continue
        for event in events:
            state = payment_method.evolve(state, event)
            if isinstance(event, AttachedToCustomer):
                owners.append(event.customer)
    assert len(owners) <= 1
