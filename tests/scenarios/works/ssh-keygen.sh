#!/bin/bash
# ssh-keygen makes a key and signs with it.
set -e
ssh-keygen -q -t ed25519 -N '' -C c -f key
stat -c %a key key.pub
echo text >f
ssh-keygen -q -Y sign -f key -n file f 2>/dev/null
echo "me $(cat key.pub)" >signers
ssh-keygen -Y verify -f signers -I me -n file -s f.sig <f | cut -c 1-19
