# One database left, bare, out of every environment; the others are destroyed.
resource "render_project" "stores" {
  name = "stores"
  environments = {
    preview = { name = "preview", protected_status = "unprotected" }
  }
}

resource "render_postgres" "full" {
  name          = "postgres-renamed"
  plan          = "pro_8gb"
  region        = "ohio"
  version       = "16"
  database_name = "shop"
  database_user = "shop_user"
  disk_size_gb  = 100
}
