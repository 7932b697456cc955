"""The simulated Netcare's WSDL with its schema inside, for any SOAP client (providers.md 2.1).

The schema says which elements there are and in which order; shapes and the tender rule are the service's own to judge.
"""

from typing import Final

from voucherswitch.providers.contract.transport.xml import escaped
from voucherswitch.providers.netcare.messages import BY_NUMBER, CANCEL, CATALOGUE, CONFIRM, ISSUE, NAMESPACE

_STRING, _INT, _DATE, _BOOLEAN = "xs:string", "xs:int", "xs:date", "xs:boolean"

_SERVICE: Final = {
    "ServiceCode": _STRING,
    "Description": _STRING,
    "PriceCents": _INT,
    "ValidityMonths": _INT,
    "Suspended": _BOOLEAN,
}
_FAULT: Final = {"Code": _STRING, "Message": _STRING, "Retryable": _BOOLEAN}
_REQUESTS: Final = {
    CATALOGUE: {},
    ISSUE: {
        "ClientReference": _STRING,
        "ServiceCode": _STRING,
        "Quantity": _INT,
        "PriceCents": _INT,
        "SiteCode": _STRING,
        "TenderReference": _STRING,
        "TenderType": _STRING,
        "TenderedCents": _INT,
        "Msisdn?": _STRING,
    },
    CONFIRM: {"ClientReference": _STRING, "NetcareReference": _STRING, "VoucherNumber": _STRING},
    CANCEL: {"ClientReference": _STRING, "VoucherNumber?": _STRING, "Reason": _STRING},
    BY_NUMBER: {"VoucherNumber": _STRING},
}
_RESPONSES: Final = {
    CATALOGUE: {"Service*": "nv:ServiceType"},
    ISSUE: {
        "ClientReference": _STRING,
        "NetcareReference": _STRING,
        "VoucherNumber": _STRING,
        "ServiceCode": _STRING,
        "ServiceDescription": _STRING,
        "PriceCents": _INT,
        "ValidFrom": _DATE,
        "ValidTo": _DATE,
        "Status": _STRING,
    },
    CONFIRM: {"ClientReference": _STRING, "Status": _STRING},
    CANCEL: {"ClientReference": _STRING, "Status": _STRING},
    BY_NUMBER: {
        "VoucherNumber": _STRING,
        "ServiceCode": _STRING,
        "ServiceDescription": _STRING,
        "PriceCents": _INT,
        "ValidTo": _DATE,
        "Status": _STRING,
    },
}


def wsdl(address: str) -> bytes:
    """The description of the service that listens at an address."""
    elements, parts, operations, bindings = "", "", "", ""
    for operation, request in _REQUESTS.items():
        elements += _element(operation, request) + _element(f"{operation}Response", _RESPONSES[operation])
        for message in (operation, f"{operation}Response"):
            parts += f'<wsdl:message name="{message}"><wsdl:part name="body" element="nv:{message}"/></wsdl:message>'
        operations += (
            f'<wsdl:operation name="{operation}"><wsdl:input message="nv:{operation}"/>'
            f'<wsdl:output message="nv:{operation}Response"/>'
            '<wsdl:fault name="ServiceFault" message="nv:ServiceFault"/></wsdl:operation>'
        )
        bindings += (
            f'<wsdl:operation name="{operation}"><soap:operation soapAction="{NAMESPACE}/{operation}"/>'
            '<wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output>'
            '<wsdl:fault name="ServiceFault"><soap:fault name="ServiceFault" use="literal"/></wsdl:fault>'
            "</wsdl:operation>"
        )
    return (
        '<wsdl:definitions name="VoucherService" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"'
        ' xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema"'
        f' xmlns:nv="{NAMESPACE}" targetNamespace="{NAMESPACE}"><wsdl:types>'
        f'<xs:schema targetNamespace="{NAMESPACE}" elementFormDefault="qualified">'
        f'<xs:complexType name="ServiceType">{_sequence(_SERVICE)}</xs:complexType>'
        f"{elements}{_element('ServiceFault', _FAULT)}</xs:schema></wsdl:types>"
        f'{parts}<wsdl:message name="ServiceFault"><wsdl:part name="detail" element="nv:ServiceFault"/></wsdl:message>'
        f'<wsdl:portType name="VoucherPort">{operations}</wsdl:portType>'
        '<wsdl:binding name="VoucherBinding" type="nv:VoucherPort">'
        f'<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>{bindings}</wsdl:binding>'
        '<wsdl:service name="VoucherService"><wsdl:port name="VoucherPort" binding="nv:VoucherBinding">'
        f'<soap:address location="{escaped(address)}"/></wsdl:port></wsdl:service></wsdl:definitions>'
    ).encode()


def _element(name: str, fields: dict[str, str]) -> str:
    return f'<xs:element name="{name}"><xs:complexType>{_sequence(fields)}</xs:complexType></xs:element>'


def _sequence(fields: dict[str, str]) -> str:
    occurs = {"?": ' minOccurs="0"', "*": ' minOccurs="0" maxOccurs="unbounded"'}
    inner = "".join(
        f'<xs:element name="{field.rstrip("?*")}" type="{kind}"{occurs.get(field[-1], "")}/>'
        for field, kind in fields.items()
    )
    return f"<xs:sequence>{inner}</xs:sequence>"
