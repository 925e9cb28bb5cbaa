"""The edge of the spec language, from YAML to `core.spec`; nothing here may know Postgres, Render or the engine."""

from reconciler.manifest.admission import blueprint_document, check_blueprint, check_tenant_against, warnings
from reconciler.manifest.documents import Document, document, inline_template, load_documents, locate
from reconciler.manifest.local_secrets import LocalSecret, load_local_secrets
from reconciler.manifest.price_file import price_book
from reconciler.manifest.reader import Reader
from reconciler.manifest.records import blueprint_yaml, tenant_columns, tenant_document, with_settings
from reconciler.manifest.schema import combined_schema, explain, json_schemas, schema_text

reader = Reader()
"""The one SpecReader there is: it holds no state."""

__all__ = [
    "Document",
    "LocalSecret",
    "Reader",
    "blueprint_document",
    "blueprint_yaml",
    "check_blueprint",
    "check_tenant_against",
    "combined_schema",
    "document",
    "explain",
    "inline_template",
    "json_schemas",
    "load_documents",
    "load_local_secrets",
    "locate",
    "price_book",
    "reader",
    "schema_text",
    "tenant_columns",
    "tenant_document",
    "warnings",
    "with_settings",
]
