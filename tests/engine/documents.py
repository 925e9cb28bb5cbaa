"""Documents for the engine's tests: small Blueprints that have every kind between them."""

ONE_WEB = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: one}
spec:
  template:
    services:
      - {type: web, name: app, runtime: image, image: {url: docker.io/acme/app:1}, plan: starter, healthCheckPath: /up,
         envVars: [{key: MODE, value: live}, {key: TOKEN, generateValue: true}]}
  entrypoint: app
  ready: {path: /up, within: 15m}
  tiers:
    small: {}
    big: {patch: {app: {plan: standard, numInstances: 2}}}
"""

FULL = """
apiVersion: reconciler/v1
kind: Blueprint
metadata: {name: full}
spec:
  template:
    envVarGroups:
      - name: shared
        envVars: [{key: LOG_LEVEL, value: info}, {key: REGION_NAME, value: "${tenant.region}"}]
    databases:
      - {name: db, plan: basic-256mb, postgresMajorVersion: "17", ipAllowList: []}
    services:
      - {type: keyvalue, name: cache, plan: starter, ipAllowList: []}
      - type: web
        name: backend
        runtime: docker
        plan: starter
        numInstances: 1
        dockerCommand: serve
        healthCheckPath: /health
        domains: ["${tenant.name}.example.com"]
        envVars:
          - fromGroup: shared
          - {key: DATABASE_URL, fromDatabase: {name: db, property: connectionString}}
          - {key: REDIS_URL, fromService: {type: keyvalue, name: cache, property: connectionString}}
          - {key: SECRET_KEY, sync: false}
          - {key: SELF, fromService: {type: web, name: backend, envVarKey: RENDER_EXTERNAL_URL}}
      - type: pserv
        name: search
        runtime: image
        image: {url: docker.io/acme/search:2}
        disk: {name: data, mountPath: /data, sizeGB: 5}
        envVars: [{key: MASTER, generateValue: true}]
      - type: worker
        name: jobs
        runtime: python
        buildCommand: pip install .
        startCommand: python -m jobs
        scaling: {minInstances: 1, maxInstances: 3, targetCPUPercent: 70}
        envVars:
          - fromGroup: shared
          - {key: SEARCH, fromService: {type: pserv, name: search, property: hostport}}
      - {type: cron, name: nightly, runtime: image, image: {url: docker.io/acme/cron:1}, schedule: "0 3 * * *"}
      - type: web
        name: site
        runtime: static
        buildCommand: npm run build
        staticPublishPath: dist
        headers: [{path: /*, name: X-Frame-Options, value: DENY}]
        routes: [{type: rewrite, source: /api/*, destination: "${url.backend}/*"}]
        envVars: [{key: API, value: "${url.backend}"}]
  source: {repo: "https://github.com/acme-inc/full", branch: main}
  entrypoint: backend
  ready: {path: /health, within: 15m}
  params: {theme: {type: string, default: plain}}
  env: {backend: {THEME: "${params.theme}"}}
  secrets: {SECRET_KEY: {generate: 40}}
  tiers:
    small: {}
    big: {patch: {db: {plan: basic-1gb}, cache: {plan: standard}, backend: {plan: standard, numInstances: 2}}}
"""


def tenant(name: str, blueprint: str = "one", **spec: object) -> str:
    """A tenant document; what is given goes into its spec as YAML flow."""
    import json

    rest = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in spec.items())
    tier = "" if "tier" in spec else "  tier: small\n"
    return (
        f"apiVersion: reconciler/v1\nkind: Tenant\nmetadata: {{name: {name}}}\n"
        f"spec:\n  blueprint: {blueprint}\n{tier}{rest}"
    )
