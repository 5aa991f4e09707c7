# Keys of OpenSSH, made, shown, and held by an agent.
ssh-keygen -q -t ed25519 -N '' -C comment -f key; ssh-keygen -l -f key.pub | sed 's/SHA256:[^ ]*/hash/'
ssh-keygen -y -f key | cmp - key.pub && echo 'the public half'
ssh-keygen -q -t ecdsa -a 1 -N secret -C other -f locked; ssh-keygen -y -P wrong -f locked 2>&1 | tail -n 1; ssh-keygen -p -a 1 -P secret -N '' -f locked >/dev/null && ssh-keygen -y -f locked | cut -d' ' -f1
echo text >text; ssh-keygen -Y sign -q -f key -n file text 2>/dev/null; echo "me $(cat key.pub)" >allowed
ssh-keygen -Y verify -q -f allowed -I me -n file -s text.sig <text && echo verified
ssh-keygen -Y verify -q -f allowed -I me -n file -s text.sig <rows.csv 2>/dev/null || echo forged
eval "$(ssh-agent -s -a agent.sock)" >/dev/null
ssh-add -q key locked; ssh-add -l | cut -d' ' -f1,3,4; ssh-add -q -d locked 2>/dev/null; ssh-add -L | cmp - key.pub && echo 'the agent has it'
ssh-agent -k >/dev/null; ssh-add -l 2>&1; ssh -G example.org | sort | grep -E '^(port|hostname|user) '
rm -f key* locked* text* allowed agent.sock
exit 3
