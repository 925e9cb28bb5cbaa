# Scaled by hand, once neither a disk nor autoscaling stands in the way.
resource "render_private_service" "full" {
  name   = "private-renamed"
  plan   = "standard"
  region = "oregon"
  runtime_source = {
    image = { image_url = "ghcr.io/acme/private", tag = "v2" }
  }
  num_instances = 3
}

resource "render_background_worker" "full" {
  name          = "worker-full"
  plan          = "standard"
  region        = "virginia"
  start_command = "celery worker --loglevel=info"
  runtime_source = {
    image = { image_url = "ghcr.io/acme/worker", tag = "v2" }
  }
  num_instances = 2
}

resource "render_static_site" "least" {
  name          = "static-least"
  repo_url      = "https://github.com/render-examples/create-react-app"
  branch        = "main"
  build_command = "npm run build"
}
