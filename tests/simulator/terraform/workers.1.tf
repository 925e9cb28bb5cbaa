# Private services, workers, cron jobs and static sites, each with everything and with the least.
resource "render_private_service" "full" {
  name               = "private-full"
  plan               = "starter"
  region             = "oregon"
  start_command      = "bundle exec puma"
  pre_deploy_command = "bundle exec rake db:migrate"
  root_directory     = "backend"
  runtime_source = {
    native_runtime = {
      auto_deploy   = true
      branch        = "main"
      build_command = "bundle install"
      repo_url      = "https://github.com/render-examples/rails"
      runtime       = "ruby"
    }
  }
  disk                       = { name = "private", size_gb = 2, mount_path = "/var/private" }
  env_vars                   = { A = { value = "1" }, SECRET = { generate_value = true } }
  secret_files               = { file = { content = "content" } }
  max_shutdown_delay_seconds = 30
  previews                   = { generation = "automatic" }
  notification_override      = { preview_notifications_enabled = "true", notifications_to_send = "all" }
  log_stream_override        = { setting = "drop" }
}

resource "render_private_service" "least" {
  name   = "private-least"
  plan   = "starter"
  region = "oregon"
  runtime_source = {
    image = { image_url = "redis" }
  }
}

resource "render_background_worker" "full" {
  name          = "worker-full"
  plan          = "standard"
  region        = "virginia"
  start_command = "celery worker"
  runtime_source = {
    image = { image_url = "ghcr.io/acme/worker", tag = "v1" }
  }
  autoscaling = {
    enabled  = true
    min      = 1
    max      = 3
    criteria = { cpu = { enabled = true, percentage = 70 }, memory = { enabled = false, percentage = 0 } }
  }
  env_vars                   = { A = { value = "1" } }
  max_shutdown_delay_seconds = 120
  notification_override      = { notifications_to_send = "failure" }
  log_stream_override        = { setting = "send", endpoint = "logs.example.com:6514" }
}

resource "render_background_worker" "least" {
  name          = "worker-least"
  plan          = "starter"
  region        = "oregon"
  start_command = "elixir run.exs"
  runtime_source = {
    native_runtime = {
      branch        = "main"
      build_command = "mix deps.get"
      repo_url      = "https://github.com/render-examples/elixir"
      runtime       = "elixir"
    }
  }
}

resource "render_cron_job" "full" {
  name          = "cron-full"
  plan          = "starter"
  region        = "oregon"
  schedule      = "*/15 2-6 * * 1,3"
  start_command = "cargo run"
  runtime_source = {
    native_runtime = {
      auto_deploy   = false
      branch        = "main"
      build_command = "cargo build"
      build_filter  = { ignored_paths = ["docs/**"] }
      repo_url      = "https://github.com/render-examples/rust"
      runtime       = "rust"
    }
  }
  env_vars              = { A = { value = "1" }, SECRET = { generate_value = true } }
  secret_files          = { file = { content = "content" } }
  notification_override = { preview_notifications_enabled = "false", notifications_to_send = "none" }
  log_stream_override   = { setting = "drop" }
}

resource "render_cron_job" "docker" {
  name          = "cron-docker"
  plan          = "starter"
  region        = "oregon"
  schedule      = "@daily"
  start_command = "job"
  runtime_source = {
    docker = { branch = "main", repo_url = "https://github.com/render-examples/bun-docker", auto_deploy = true }
  }
}

resource "render_cron_job" "least" {
  name     = "cron-least"
  plan     = "starter"
  region   = "oregon"
  schedule = "0 0 * * *"
  runtime_source = {
    image = { image_url = "alpine", tag = "3" }
  }
}

resource "render_static_site" "full" {
  name           = "static-full"
  repo_url       = "https://github.com/render-examples/create-react-app"
  branch         = "main"
  build_command  = "npm run build"
  publish_path   = "build"
  root_directory = "site"
  auto_deploy    = true
  build_filter   = { paths = ["site/**"], ignored_paths = ["site/docs/**"] }
  env_vars       = { A = { value = "1" }, SECRET = { generate_value = true } }
  custom_domains = [{ name = "static-one.net" }, { name = "docs.static-one.net" }]
  headers = [
    { path = "/*", name = "X-Frame-Options", value = "DENY" },
    { path = "/assets/*", name = "Cache-Control", value = "max-age=604800" },
  ]
  routes = [
    { type = "redirect", source = "/old", destination = "/new" },
    { type = "rewrite", source = "/*", destination = "/index.html" },
  ]
  ip_allow_list         = [{ cidr_block = "203.0.113.0/24", description = "office" }]
  previews              = { generation = "automatic" }
  notification_override = { preview_notifications_enabled = "true", notifications_to_send = "failure" }
}

resource "render_static_site" "least" {
  name          = "static-least"
  repo_url      = "https://github.com/render-examples/create-react-app"
  branch        = "main"
  build_command = "true"
}

data "render_private_service" "full" {
  id = render_private_service.full.id
}

data "render_background_worker" "full" {
  id = render_background_worker.full.id
}

data "render_cron_job" "full" {
  id = render_cron_job.full.id
}
