# Back to the least: what hung on them is gone, the disk is detached, domains and overrides are removed.
resource "render_web_service" "image" {
  name   = "image"
  plan   = "pro"
  region = "frankfurt"
  runtime_source = {
    docker = {
      branch   = "main"
      repo_url = "https://github.com/render-examples/bun-docker"
    }
  }
}

resource "render_web_service" "least" {
  name   = "least"
  plan   = "standard"
  region = "singapore"
  runtime_source = {
    image = { image_url = "docker.io/library/nginx" }
  }
}

resource "render_web_service" "native" {
  name          = "native"
  plan          = "standard"
  region        = "oregon"
  start_command = "python -m http.server"

  runtime_source = {
    native_runtime = {
      branch        = "release"
      build_command = "pip install ."
      repo_url      = "https://github.com/render-examples/flask-hello-world"
      runtime       = "python"
    }
  }
  num_instances = 2
}
