job "app" {
  group "app" {
    count = 3

    network {
      port "http" {}
    }

    service {
      name = "app"
      port = "http"

      check {
        type     = "http"
        path     = "/clustershazbot/health"
        interval = "10s"
        timeout  = "2s"
      }
    }

    task "app" {
      driver       = "docker"
      kill_timeout = "20s"

      config {
        image        = "registry.example.com/app:1"
        network_mode = "host"
      }

      env {
        PORT                = "${NOMAD_PORT_http}"
        SHAZBOT_BASE_URL    = "http://{env:NOMAD_ADDR_http}/"
        SHAZBOT_MASTER_LIST = "srv+http://_app._tcp.service.consul/"
      }

      template {
        destination = "secrets/shazbot.env"
        env         = true
        data        = <<-EOT
          {{ with nomadVar "nomad/jobs/app" }}
          SHAZBOT_SECRET={{ .gossip }}
          SHAZBOT_CONTROL_SECRET={{ .control }}
          {{ end }}
        EOT
      }
    }
  }
}
