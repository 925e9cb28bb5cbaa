# Moved between environments, linked otherwise, streams pointed elsewhere.
resource "render_project" "shop" {
  name = "shop-renamed"
  environments = {
    production = { name = "live", protected_status = "unprotected" }
    staging    = { name = "staging", protected_status = "protected", network_isolated = true }
    third      = { name = "third", protected_status = "unprotected" }
  }
}

resource "render_env_group" "full" {
  name           = "group-renamed"
  environment_id = render_project.shop.environments["staging"].id
  env_vars       = { PLAIN = { value = "two" }, ADDED = { value = "new" } }
  secret_files   = { "group.json" = { content = "{\"b\": 2}" } }
}

resource "render_env_group" "least" {
  name           = "group-least"
  environment_id = render_project.shop.environments["production"].id
  env_vars       = { ONE = { value = "1" } }
  secret_files   = { one = { content = "1" } }
}

resource "render_web_service" "shop" {
  name           = "shop"
  plan           = "starter"
  region         = "oregon"
  environment_id = render_project.shop.environments["staging"].id
  runtime_source = {
    image = { image_url = "nginx", tag = "1.27" }
  }
}

resource "render_cron_job" "shop" {
  name     = "shop-cron"
  plan     = "starter"
  region   = "oregon"
  schedule = "0 0 * * *"
  runtime_source = {
    image = { image_url = "alpine", tag = "3" }
  }
}

resource "render_static_site" "shop" {
  name           = "shop-site"
  repo_url       = "https://github.com/render-examples/create-react-app"
  branch         = "main"
  build_command  = "true"
  environment_id = render_project.shop.environments["staging"].id
}

resource "render_env_group_link" "full" {
  env_group_id = render_env_group.full.id
  service_ids  = [render_web_service.shop.id, render_static_site.shop.id]
}

resource "render_env_group_link" "least" {
  env_group_id = render_env_group.least.id
  service_ids  = [render_cron_job.shop.id]
}

resource "render_dedicated_ip" "workspace" {
  name            = "egress-renamed"
  region          = "oregon"
  description     = "described"
  environment_ids = [render_project.shop.environments["third"].id]
}

resource "render_dedicated_ip" "environment" {
  name        = "egress-production"
  region      = "ohio"
  description = "for everybody"
}

resource "render_webhook" "all" {
  name         = "all-renamed"
  url          = "https://hooks.example.com/other"
  enabled      = false
  event_filter = ["deploy_started"]
}

resource "render_webhook" "some" {
  name         = "some"
  url          = "https://hooks.example.com/some"
  enabled      = true
  event_filter = ["build_ended", "deploy_ended", "server_failed"]
}

resource "render_log_stream" "workspace" {
  endpoint = "elsewhere.example.com:6514"
  token    = "log-token-two"
  preview  = "drop"
}

resource "render_metrics_stream" "workspace" {
  metrics_provider = "DATADOG"
  url              = "US1"
  token            = "metrics-token-two"
}

resource "render_notification_setting" "workspace" {
  email_enabled                 = false
  notifications_to_send         = "none"
  preview_notifications_enabled = false
}
