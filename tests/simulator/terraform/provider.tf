# The provider takes its host, key and workspace from RENDER_HOST, RENDER_API_KEY and RENDER_OWNER_ID.
terraform {
  required_providers {
    render = {
      source = "render-oss/render"
    }
  }
}

provider "render" {}
