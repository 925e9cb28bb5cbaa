# Web services of every runtime: an image with all that can hang on one, a native one that scales, Docker on free, and the least.
resource "render_registry_credential" "hub" {
  name       = "hub"
  registry   = "DOCKER"
  username   = "acme"
  auth_token = "token-one"
}

resource "render_web_service" "image" {
  name               = "image"
  plan               = "starter"
  region             = "frankfurt"
  start_command      = "nginx -g 'daemon off;'"
  pre_deploy_command = "echo migrate"
  health_check_path  = "/healthz"

  runtime_source = {
    image = {
      image_url              = "nginx"
      tag                    = "1.27"
      registry_credential_id = render_registry_credential.hub.id
    }
  }

  disk = {
    name       = "data"
    size_gb    = 1
    mount_path = "/data"
  }

  env_vars = {
    PLAIN     = { value = "one" }
    EMPTY     = { value = "" }
    GENERATED = { generate_value = true }
  }
  secret_files = {
    "settings.json" = { content = "{\"a\": 1}" }
    "certificate"   = { content = "line one\nline two\n" }
  }
  custom_domains = [
    { name = "shop-one.net" },
    { name = "www.shop-two.net" },
    { name = "api.shop-three.net" },
  ]

  max_shutdown_delay_seconds = 60
  maintenance_mode           = { enabled = true, uri = "https://status.shop-one.net" }
  ip_allow_list              = [{ cidr_block = "203.0.113.0/24", description = "office" }]
  previews                   = { generation = "manual" }
  notification_override      = { preview_notifications_enabled = "false", notifications_to_send = "failure" }
  log_stream_override        = { setting = "drop" }
}

resource "render_web_service" "native" {
  name           = "native"
  plan           = "standard"
  region         = "oregon"
  start_command  = "npm start"
  root_directory = "apps/web"

  runtime_source = {
    native_runtime = {
      auto_deploy   = false
      branch        = "main"
      build_command = "npm ci"
      build_filter  = { paths = ["apps/web/**"], ignored_paths = ["**/*.md"] }
      repo_url      = "https://github.com/render-examples/express-hello-world"
      runtime       = "node"
    }
  }

  autoscaling = {
    enabled  = true
    min      = 2
    max      = 4
    criteria = { cpu = { enabled = true, percentage = 60 }, memory = { enabled = false, percentage = 70 } }
  }

  env_vars = { for index in range(45) : format("KEY_%02d", index) => { value = tostring(index) } }
}

resource "render_web_service" "docker" {
  name   = "docker"
  plan   = "starter"
  region = "ohio"

  runtime_source = {
    docker = {
      auto_deploy_trigger    = "checksPass"
      branch                 = "main"
      context                = "./app"
      dockerfile_path        = "./app/Dockerfile"
      registry_credential_id = render_registry_credential.hub.id
      repo_url               = "https://github.com/render-examples/bun-docker"
    }
  }

  num_instances       = 3
  ip_allow_list       = []
  log_stream_override = { setting = "send", endpoint = "logs.example.com:6514", token = "log-token" }
}

resource "render_web_service" "least" {
  name   = "least"
  plan   = "starter"
  region = "singapore"
  runtime_source = {
    image = { image_url = "docker.io/library/nginx" }
  }
}

data "render_web_service" "image" {
  id = render_web_service.image.id
}

data "render_web_service" "least" {
  id = render_web_service.least.id
}

data "render_registry_credential" "hub" {
  id = render_registry_credential.hub.id
}
