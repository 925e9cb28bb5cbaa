# The same with nearly everything changed; what the least one lacked is added, what the first had is taken away.
resource "render_registry_credential" "hub" {
  name       = "hub-renamed"
  registry   = "GITHUB"
  username   = "acme-bot"
  auth_token = "token-two"
}

resource "render_registry_credential" "second" {
  name       = "second"
  registry   = "AWS_ECR"
  username   = "acme"
  auth_token = "token-three"
}

resource "render_web_service" "image" {
  name   = "image-renamed"
  plan   = "pro"
  region = "frankfurt"

  runtime_source = {
    image = {
      image_url = "ghcr.io/acme/shop"
      tag       = "v2"
    }
  }

  disk = {
    name       = "data-two"
    size_gb    = 5
    mount_path = "/data/two"
  }

  env_vars = {
    PLAIN     = { value = "two" }
    GENERATED = { generate_value = true }
    ADDED     = { value = "new" }
  }
  secret_files   = { "settings.json" = { content = "{\"a\": 2}" } }
  custom_domains = [{ name = "shop-one.net" }, { name = "four.shop-four.net" }]

  maintenance_mode      = { enabled = false, uri = "" }
  previews              = { generation = "automatic" }
  notification_override = { preview_notifications_enabled = "default", notifications_to_send = "none" }
  log_stream_override   = { setting = "send", endpoint = "logs.example.com:6514", token = "log-token" }
}

resource "render_web_service" "native" {
  name          = "native"
  plan          = "standard"
  region        = "oregon"
  start_command = "python -m http.server"

  runtime_source = {
    native_runtime = {
      auto_deploy_trigger = "commit"
      branch              = "release"
      build_command       = "pip install ."
      repo_url            = "https://github.com/render-examples/flask-hello-world"
      runtime             = "python"
    }
  }
}

resource "render_web_service" "docker" {
  name          = "docker"
  plan          = "starter"
  region        = "ohio"
  start_command = "serve"

  runtime_source = {
    docker = {
      auto_deploy            = false
      branch                 = "release"
      build_filter           = { paths = ["app/**"] }
      registry_credential_id = render_registry_credential.second.id
      repo_url               = "https://github.com/render-examples/bun-docker"
    }
  }

  autoscaling = {
    enabled  = true
    min      = 1
    max      = 2
    criteria = { cpu = { enabled = false, percentage = 0 }, memory = { enabled = true, percentage = 80 } }
  }
}

resource "render_web_service" "least" {
  name               = "least"
  plan               = "standard"
  region             = "singapore"
  pre_deploy_command = "echo now with one"
  health_check_path  = "/up"
  start_command      = "run"
  num_instances      = 1
  runtime_source = {
    native_runtime = {
      auto_deploy   = true
      branch        = "main"
      build_command = "make"
      repo_url      = "https://github.com/render-examples/go-gin-web-server"
      runtime       = "go"
    }
  }
  disk                       = { name = "late", size_gb = 10, mount_path = "/var/late" }
  env_vars                   = { LATE = { value = "yes" } }
  secret_files               = { late = { content = "late" } }
  custom_domains             = [{ name = "late.net" }]
  max_shutdown_delay_seconds = 300
  maintenance_mode           = { enabled = true, uri = "" }
  ip_allow_list              = [{ cidr_block = "198.51.100.7/32", description = "" }]
  notification_override      = { preview_notifications_enabled = "true", notifications_to_send = "all" }
  log_stream_override        = { setting = "drop" }
}
