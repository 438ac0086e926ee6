#!/bin/bash
# npm: a tarball and a directory as dependencies, scripts, npx; nothing from a registry.
set -e
export npm_config_offline=true npm_config_audit=false npm_config_fund=false
export npm_config_update_notifier=false
mkdir dep tool app
echo '{"name":"dep","version":"1.0.0","main":"i.js"}' >dep/package.json
echo 'module.exports = "from dep"' >dep/i.js
echo '{"name":"tool","version":"1.0.0","bin":{"tool":"t.js"}}' >tool/package.json
printf '#!/usr/bin/env node\nconsole.log("from tool")\n' >tool/t.js
(cd dep && npm pack --silent --pack-destination ../app >../packed)
cd app
cat >package.json <<'END'
{ "name": "app", "version": "1.0.0",
  "scripts": { "start": "node -p 'require(\"dep\")'", "postinstall": "echo installed >marker" },
  "dependencies": { "dep": "file:dep-1.0.0.tgz", "tool": "file:../tool" } }
END
npm install --silent
cat marker
npm run --silent start
npx --no-install tool
npm ls --parseable | wc -l
npm ci --silent
test -d node_modules/dep && echo again
