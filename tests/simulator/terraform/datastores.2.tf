# Grown, moved, opened and closed; one replica goes, one comes; overrides change hands.
resource "render_project" "stores" {
  name = "stores-renamed"
  environments = {
    production = {
      name             = "production"
      protected_status = "protected"
      network_isolated = true
      ip_allow_list    = [{ cidr_block = "203.0.113.0/24", description = "office" }]
    }
    staging = { name = "staging-renamed", protected_status = "unprotected" }
    preview = { name = "preview", protected_status = "unprotected", ip_allow_list = [] }
  }
}

resource "render_postgres" "full" {
  name                      = "postgres-renamed"
  plan                      = "pro_8gb"
  region                    = "ohio"
  version                   = "16"
  database_name             = "shop"
  database_user             = "shop_user"
  disk_size_gb              = 100
  high_availability_enabled = true
  environment_id            = render_project.stores.environments["staging"].id
  ip_allow_list             = []
  parameter_overrides       = { max_connections = "300" }
  read_replicas = [
    { name = "replica-two", parameter_overrides = { work_mem = "8MB" }, log_stream_override = { setting = "send", endpoint = "logs.example.com:6514" } },
    { name = "replica-three" },
  ]
  log_stream_override = { setting = "send", endpoint = "logs.example.com:6514", token = "log-token" }
}

resource "render_postgres" "least" {
  name                = "postgres-least"
  plan                = "basic_1gb"
  region              = "oregon"
  version             = "17"
  environment_id      = render_project.stores.environments["production"].id
  ip_allow_list       = [{ cidr_block = "0.0.0.0/0", description = "everywhere" }]
  datadog_api_key     = "datadog-key"
  log_stream_override = { setting = "drop" }
}

resource "render_postgres" "free" {
  name    = "postgres-free"
  plan    = "basic_256mb"
  region  = "oregon"
  version = "18"
}

resource "render_keyvalue" "full" {
  name              = "keyvalue-renamed"
  plan              = "pro"
  region            = "ohio"
  max_memory_policy = "volatile_lfu"
  persistence_mode  = "off"
  environment_id    = render_project.stores.environments["staging"].id
  ip_allow_list     = []
}

resource "render_keyvalue" "least" {
  name                = "keyvalue-least"
  plan                = "starter"
  region              = "oregon"
  max_memory_policy   = "allkeys_random"
  environment_id      = render_project.stores.environments["production"].id
  ip_allow_list       = [{ cidr_block = "0.0.0.0/0", description = "everywhere" }]
  log_stream_override = { setting = "drop" }
}

resource "render_redis" "full" {
  name              = "redis-renamed"
  plan              = "standard"
  region            = "frankfurt"
  max_memory_policy = "noeviction"
  ip_allow_list     = [{ cidr_block = "203.0.113.0/24", description = "office" }]
}

resource "render_redis" "least" {
  name              = "redis-least"
  plan              = "starter"
  region            = "oregon"
  max_memory_policy = "volatile_lru"
}
