# Databases and caches of every sort, in an environment and outside of one.
resource "render_project" "stores" {
  name = "stores"
  environments = {
    production = { name = "production", protected_status = "unprotected" }
    staging    = { name = "staging", protected_status = "unprotected" }
  }
}

resource "render_postgres" "full" {
  name                      = "postgres-full"
  plan                      = "pro_4gb"
  region                    = "ohio"
  version                   = "16"
  database_name             = "shop"
  database_user             = "shop_user"
  disk_size_gb              = 50
  high_availability_enabled = true
  environment_id            = render_project.stores.environments["production"].id
  ip_allow_list = [
    { cidr_block = "203.0.113.0/24", description = "office" },
    { cidr_block = "198.51.100.7/32", description = "home" },
  ]
  parameter_overrides = { max_connections = "200", work_mem = "64MB" }
  read_replicas = [
    { name = "replica-one", parameter_overrides = { max_connections = "150" } },
    { name = "replica-two", log_stream_override = { setting = "drop" } },
  ]
  log_stream_override = { setting = "drop" }
}

resource "render_postgres" "least" {
  name    = "postgres-least"
  plan    = "basic_256mb"
  region  = "oregon"
  version = "17"
}

resource "render_postgres" "free" {
  name          = "postgres-free"
  plan          = "free"
  region        = "oregon"
  version       = "18"
  ip_allow_list = []
}

resource "render_keyvalue" "full" {
  name                = "keyvalue-full"
  plan                = "standard"
  region              = "ohio"
  max_memory_policy   = "noeviction"
  persistence_mode    = "snapshot"
  environment_id      = render_project.stores.environments["production"].id
  ip_allow_list       = [{ cidr_block = "203.0.113.0/24", description = "office" }]
  log_stream_override = { setting = "send", endpoint = "logs.example.com:6514", token = "log-token" }
}

resource "render_keyvalue" "least" {
  name              = "keyvalue-least"
  plan              = "free"
  region            = "oregon"
  max_memory_policy = "allkeys_lru"
}

resource "render_redis" "full" {
  name                = "redis-full"
  plan                = "starter"
  region              = "frankfurt"
  max_memory_policy   = "volatile_ttl"
  environment_id      = render_project.stores.environments["staging"].id
  ip_allow_list       = []
  log_stream_override = { setting = "drop" }
}

resource "render_redis" "least" {
  name              = "redis-least"
  plan              = "starter"
  region            = "oregon"
  max_memory_policy = "allkeys_lru"
}

data "render_postgres" "full" {
  id = render_postgres.full.id
}

data "render_keyvalue" "full" {
  id = render_keyvalue.full.id
}

data "render_redis" "full" {
  id = render_redis.full.id
}

data "render_project" "stores" {
  id = render_project.stores.id
}
