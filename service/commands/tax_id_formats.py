"""Validation of tax id formats by type: the published format, and valid numbers in other spellings.

Check digits are not asked of what has the shape, for the samples of the API reference (`DE123456789`) are wrong in
theirs: whether a number is registered is checked by its verification. A number spelled otherwise, with
blanks or dots where there are none or without those there should be, is understood by python-stdnum where its check
digits are right, and kept in the published spelling.
"""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from stdnum.exceptions import ValidationError
from stdnum.util import clean

from events import tax_id_types
from events.tax_id_types import Number

SEPARATORS = " -./,"
# The modules of python-stdnum that know numbers of our types, each in the spellings of its country.
MODULES = {
    "ad_nrt": "ad.nrt",
    "al_tin": "al.nipt",
    "ar_cuit": "ar.cuit",
    "au_abn": "au.abn",
    "az_tin": "az.voen",
    "bg_uic": "bg.vat",
    "br_cnpj": "br.cnpj",
    "br_cpf": "br.cpf",
    "by_tin": "by.unp",
    "ca_bn": "ca.bn",
    "ca_gst_hst": "ca.bn",
    "ch_uid": "ch.uid",
    "ch_vat": "ch.vat",
    "cl_tin": "cl.rut",
    "cn_tin": "cn.uscc",
    "co_nit": "co.nit",
    "cr_tin": "cr.cpj",
    "de_stn": "de.stnr",
    "do_rcn": "do.cedula",
    "ec_ruc": "ec.ruc",
    "eg_tin": "eg.tn",
    "es_cif": "es.cif",
    "eu_oss_vat": "eu.oss",
    "eu_vat": "eu.vat",
    "gb_vat": "gb.vat",
    "gn_nif": "gn.nifp",
    "hr_oib": "hr.oib",
    "id_npwp": "id.npwp",
    "il_vat": "il.hp",
    "in_gst": "in_.gstin",
    "is_vat": "is_.vsk",
    "jp_cn": "jp.cn",
    "ke_pin": "ke.pin",
    "kr_brn": "kr.brn",
    "li_uid": "ch.uid",
    "li_vat": "li.peid",
    "me_pib": "me.pib",
    "mk_vat": "mk.edb",
    "mx_rfc": "mx.rfc",
    "no_vat": "no.mva",
    "nz_gst": "nz.ird",
    "pe_ruc": "pe.ruc",
    "pl_nip": "pl.nip",
    "ro_tin": "ro.cnp",
    "rs_pib": "rs.pib",
    "ru_inn": "ru.inn",
    "sg_uen": "sg.uen",
    "si_tin": "si.ddv",
    "sn_ninea": "sn.ninea",
    "sv_nit": "sv.nit",
    "th_vat": "th.tin",
    "tr_tin": "tr.vkn",
    "tw_vat": "tw.ubn",
    "us_ein": "us.ein",
    "uy_ruc": "uy.rut",
    "ve_rif": "ve.rif",
    "vn_tin": "vn.mst",
    "za_vat": "za.tin",
}


def number(type: str, value: str) -> Number | None:
    """A normalized value of a type; None for an invalid one."""
    found = (tax_id_types.number(type, spelling) for spelling in _spellings(type, value))
    return next((number for number in found if number is not None), None)


def _spellings(type: str, value: str) -> Iterator[str]:
    """The value as it was given; then, where its check digits are right, without separators and with the usual ones."""
    yield value
    if type not in MODULES:
        return
    module: ModuleType = import_module(f"stdnum.{MODULES[type]}")
    try:
        compact: str = module.validate(value)
    except ValidationError:
        return
    yield clean(value, SEPARATORS)
    if hasattr(module, "format"):
        yield module.format(compact)
