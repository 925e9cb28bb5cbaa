# Everything moved: runtimes, commands, scale, schedules, rules of the site.
resource "render_private_service" "full" {
  name   = "private-renamed"
  plan   = "standard"
  region = "oregon"
  runtime_source = {
    image = { image_url = "ghcr.io/acme/private", tag = "v2" }
  }
  env_vars = { B = { value = "2" } }
}

resource "render_private_service" "least" {
  name               = "private-least"
  plan               = "starter"
  region             = "oregon"
  pre_deploy_command = "true"
  runtime_source = {
    docker = { branch = "main", repo_url = "https://github.com/render-examples/bun-docker" }
  }
  disk                  = { name = "later", size_gb = 1, mount_path = "/var/later" }
  secret_files          = { file = { content = "later" } }
  notification_override = { notifications_to_send = "none" }
  log_stream_override   = { setting = "drop" }
}

resource "render_background_worker" "full" {
  name          = "worker-full"
  plan          = "standard"
  region        = "virginia"
  start_command = "celery worker --loglevel=info"
  runtime_source = {
    image = { image_url = "ghcr.io/acme/worker", tag = "v2" }
  }
  env_vars            = { A = { value = "2" } }
  log_stream_override = { setting = "drop" }
}

resource "render_background_worker" "least" {
  name           = "worker-least"
  plan           = "pro"
  region         = "oregon"
  start_command  = "elixir run.exs --now"
  root_directory = "worker"
  runtime_source = {
    native_runtime = {
      auto_deploy_trigger = "off"
      branch              = "release"
      build_command       = "mix compile"
      repo_url            = "https://github.com/render-examples/elixir"
      runtime             = "elixir"
    }
  }
  disk     = { name = "worker", size_gb = 1, mount_path = "/var/worker" }
  env_vars = { A = { value = "1" } }
}

resource "render_cron_job" "full" {
  name          = "cron-renamed"
  plan          = "standard"
  region        = "oregon"
  schedule      = "5 4 * * *"
  start_command = "python job.py"
  runtime_source = {
    native_runtime = {
      auto_deploy_trigger = "checksPass"
      branch              = "main"
      build_command       = "pip install ."
      repo_url            = "https://github.com/render-examples/flask-hello-world"
      runtime             = "python"
    }
  }
  env_vars = { A = { value = "2" } }
}

resource "render_cron_job" "docker" {
  name     = "cron-docker"
  plan     = "starter"
  region   = "oregon"
  schedule = "0 12 1 * *"
  runtime_source = {
    docker = {
      branch          = "main"
      repo_url        = "https://github.com/render-examples/bun-docker"
      dockerfile_path = "./cron/Dockerfile"
      context         = "./cron"
    }
  }
}

resource "render_cron_job" "least" {
  name          = "cron-least"
  plan          = "starter"
  region        = "oregon"
  schedule      = "0 1 * * *"
  start_command = "date"
  runtime_source = {
    image = { image_url = "alpine", tag = "3.20" }
  }
  env_vars            = { A = { value = "1" } }
  secret_files        = { file = { content = "content" } }
  log_stream_override = { setting = "drop" }
}

resource "render_static_site" "full" {
  name                = "static-renamed"
  repo_url            = "https://github.com/render-examples/docusaurus"
  branch              = "release"
  build_command       = "yarn build"
  publish_path        = "dist"
  auto_deploy_trigger = "off"
  custom_domains      = [{ name = "www.static-two.net" }]
  headers             = [{ path = "/*", name = "X-Frame-Options", value = "SAMEORIGIN" }]
  routes = [
    { type = "rewrite", source = "/*", destination = "/index.html" },
    { type = "redirect", source = "/old", destination = "/newer" },
    { type = "redirect", source = "/older", destination = "/newer" },
  ]
}

resource "render_static_site" "least" {
  name           = "static-least"
  repo_url       = "https://github.com/render-examples/create-react-app"
  branch         = "main"
  build_command  = "npm run build"
  env_vars       = { A = { value = "1" } }
  custom_domains = [{ name = "static-three.net" }]
  headers        = [{ path = "/*", name = "X-One", value = "1" }]
  routes         = [{ type = "redirect", source = "/a", destination = "/b" }]
  previews       = { generation = "manual" }
  ip_allow_list  = []
}
