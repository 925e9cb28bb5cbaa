# What belongs to the workspace, and a small stack tied together by a project, groups and links.
resource "render_project" "shop" {
  name = "shop"
  environments = {
    production = { name = "production", protected_status = "protected", network_isolated = true }
    staging    = { name = "staging", protected_status = "unprotected" }
  }
}

resource "render_env_group" "full" {
  name           = "group-full"
  environment_id = render_project.shop.environments["production"].id
  env_vars = {
    PLAIN     = { value = "one" }
    GENERATED = { generate_value = true }
  }
  secret_files = { "group.json" = { content = "{}" }, "other" = { content = "x" } }
}

resource "render_env_group" "least" {
  name = "group-least"
}

resource "render_web_service" "shop" {
  name           = "shop"
  plan           = "starter"
  region         = "oregon"
  environment_id = render_project.shop.environments["production"].id
  runtime_source = {
    image = { image_url = "nginx", tag = "1.27" }
  }
}

resource "render_cron_job" "shop" {
  name           = "shop-cron"
  plan           = "starter"
  region         = "oregon"
  schedule       = "0 0 * * *"
  environment_id = render_project.shop.environments["production"].id
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
  service_ids  = [render_web_service.shop.id, render_cron_job.shop.id]
}

resource "render_dedicated_ip" "workspace" {
  name   = "egress"
  region = "oregon"
}

resource "render_dedicated_ip" "environment" {
  name            = "egress-production"
  region          = "ohio"
  description     = "for partners"
  environment_ids = [for item in render_project.shop.environments : item.id]
}

resource "render_webhook" "all" {
  name    = "all"
  url     = "https://hooks.example.com/render"
  enabled = true
}

resource "render_webhook" "some" {
  name         = "some"
  url          = "https://hooks.example.com/some"
  enabled      = false
  event_filter = ["deploy_ended", "service_suspended"]
}

resource "render_log_stream" "workspace" {
  endpoint = "logs.example.com:6514"
  token    = "log-token"
  preview  = "send"
}

resource "render_metrics_stream" "workspace" {
  metrics_provider = "GRAFANA"
  url              = "https://metrics.example.com"
  token            = "metrics-token"
}

resource "render_notification_setting" "workspace" {
  email_enabled                 = true
  notifications_to_send         = "all"
  preview_notifications_enabled = true
}

data "render_env_group" "full" {
  id = render_env_group.full.id
}

data "render_env_group_link" "full" {
  env_group_id = render_env_group_link.full.env_group_id
}

data "render_dedicated_ip" "workspace" {
  id = render_dedicated_ip.workspace.id
}

data "render_webhook" "some" {
  id = render_webhook.some.id
}

data "render_metrics_stream" "workspace" {
  depends_on = [render_metrics_stream.workspace]
}

data "render_notification_setting" "workspace" {
  depends_on = [render_notification_setting.workspace]
}

data "render_project" "shop" {
  id = render_project.shop.id
}
