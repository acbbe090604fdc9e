/**
 * Runs that once found a mistake, as short as they could be made; each is run again with every test.
 *
 * @module
 */

/** What must hold, and the line that replays the run in which it did not. */
export const FOUND: readonly [what: string, replay: string][] = [
  [
    "lazily kept refcounts reach the disk before the table is placed anew",
    "seed=8 refcountBits=4 lazyRefcounts=true compression=zlib snapshots=true preallocation=full caches=too_small depth=12 faults=ENOSPC sparse=1 steps=",
  ],
  [
    "a dirty bit that could not be written is not taken for set",
    "seed=31 clusterBytes=512 refcountBits=64 lazyRefcounts=true backing=raw compression=zlib snapshots=true discard=pass_none depth=12 faults=EIO sparse=1 steps=" +
    "write:1omejt5:dpuutp,zero_and_unmap:76q60n:15vdm9e",
  ],
  [
    "a longer disk does not show the backing file, not even for a moment",
    "seed=9 clusterBytes=4096 lazyRefcounts=true backing=qcow2 resize=true discard=pass_none faults=EIO sparse=1 steps=" +
    "resize:60eo0u:1vaz6sk,resize:z0d72o:1f8y6b2",
  ],
  [
    "a longer disk does not show what its last cluster held",
    "seed=36 compat=0.10 compression=zlib resize=true preallocation=falloc depth=4 faults=ENOSPC sparse=1 steps=" +
    "compress:1ntkgnw:1c2g2ah,resize:9brpa6:uneuds,zero_and_unmap:1eqh4o3:1jrtk6e," +
    "resize:1ie6gw2:22xuv3",
  ],
  [
    "a disk can be made longer after power was lost while it was",
    "seed=5 clusterBytes=4096 refcountBits=2 resize=true preallocation=falloc discard=pass_none caches=too_small faults=EIO sparse=1 steps=" +
    "write:ztpin3:16nt0ts,resize:1b2f3km:sybg2h,write:14an1uz:1kcp6sd,flush:pkka4i:8t6in0," +
    "write:qjoiyj:k2kw04,write:52qfdg:8tphmy,write_through:1str6a8:ax6r31,write:i0ss1j:ug237o," +
    "write:1fp3tau:1lg02rr,write:1ef5qel:181voi4,resize:w0kosk:16n9fej,resize:cobdtm:him78o",
  ],
  [
    "preallocated clusters do not show what was deleted",
    "seed=107 clusterBytes=4096 refcountBits=8 lazyRefcounts=true compression=zlib resize=true preallocation=metadata discard=pass_all caches=too_small depth=12 sparse=1 steps=" +
    "resize:1gauge0:1upnutx,compress:1xng4wn:17xtxb6,write:xkkfz0:18qxew8,resize:5px21o:11ypsvi",
  ],
  [
    "preallocated clusters lie inside the file",
    "seed=138 clusterBytes=1024 refcountBits=64 lazyRefcounts=true snapshots=true resize=true preallocation=metadata discard=pass_none caches=too_small depth=4 faults=ENOSPC sparse=1 steps=" +
    "read:16glxmf:p1elu9,read:z6egcz:1jd7t7,zero:bri2ow:10uc4gf,read:16sq0fn:1njlrik," +
    "write:157s4lb:fz90fk,write:149ufxk:1n9voww,resize:1c1joos:e1ls2d",
  ],
  [
    "a snapshot that is refused for narrow refcounts leaves no leaks",
    "seed=357 clusterBytes=512 refcountBits=2 lazyRefcounts=true backing=qcow2 snapshots=true discard=pass_none caches=too_small faults=ENOSPC sparse=1 steps=" +
    "write:tp5dfi:frefg9,snapshot:19mqkst:1o20t2g,discard:19wb366:1xf2215,snapshot:am8pbf:109cge7," +
    "apply:1me9c65:8tcxtf",
  ],
  [
    "a snapshot that failed and yet is there keeps its content",
    "seed=338 clusterBytes=2048 refcountBits=8 lazyRefcounts=true compression=zlib snapshots=true resize=true preallocation=metadata discard=pass_all caches=too_small depth=4 faults=EIO sparse=1 steps=" +
    "compress:1famio1:105b10h,lose_power:f7k4h4:eurub2,snapshot:1czpwqa:690uyw,write:1dvm3d5:1mm1t0g",
  ],
  [
    "applying a snapshot of a longer disk does not show what was cut off since",
    "seed=60167 clusterBytes=4096 refcountBits=32 compression=zlib snapshots=true resize=true preallocation=falloc faults=EIO sparse=1 steps=" +
    "write:h373wd:8l1zre,write:1xd7g9y:cv3p69,write:15lomad:mrwku7,write:1i9gkjv:19r27zf," +
    "write:1dqszsm:vjdxo7,write:16vg7gu:1szxsh7,reopen:ydsgpz:5x3hi7,snapshot:178xz1r:yn0g25," +
    "write:1is6h10:1tsplxg,write:1rk1ojf:pzp7su,resize:efbzb3:7m8nxq,apply:cpjckf:mxxmot",
  ],
  [
    "a commit in which more than one thing fails ends in a block error",
    "seed=7860 compat=0.10 clusterBytes=2048 backing=raw compression=zlib depth=4 faults=EIO sparse=2 steps=" +
    "write:1xl6tx3:s0bgnd,commit:j7db15:4rzzfx,write:1dszh5v:8dn14o,write_through:1ubadd4:opnac1," +
    "write:cqh6sl:1d4bgvd,zero:2e7yie:xp462o,compress:1aqkzje:fhilmt,write:118xggv:qyrl0e," +
    "read:7ldfho:zdy75g,read:jd9n8j:hfh368,write:1p2k6mo:tsd486,compress:138rinh:1u4c4fe," +
    "read:5702n1:1c5i4i,zero_and_unmap:ran1we:pzr6wv,zero:kmsden:jzan38,zero:1092lv:tzwfhi," +
    "flush:wyeblv:14n4bnq,zero_and_unmap:1hw4nzo:a771il,write:1bimy9g:1rakvf5,write:vpdzpe:ftr08z," +
    "write:26v1eh:1t98lgf,write:ppog1k:1fxb8nc,write:10bcsn8:vy33xv,write_through:6zmjj7:1hy3fwq," +
    "write:y3f1wx:1d4jado,compress:dhi9lk:1pmc79i,commit:56gqis:h3an52",
  ],
  [
    "what is left of an image that was being made is no image, or a sound one",
    "seed=1 clusterBytes=16384 refcountBits=1 lazyRefcounts=true preallocation=metadata sparse=1 steps=",
  ],
  [
    "a header of another version leads to the backing file all the time",
    "seed=35 compat=0.10 backing=qcow2 compression=zlib snapshots=true resize=true amend=true " +
    "discard=pass_none overlapCheck=constant sparse=1 steps=" +
    "write:77mzf3:19ycy8r,write:amj760:1cxhkpv,commit:1k2wshw:kxzavf,zero_and_unmap:15u8rg4:gkpxk3," +
    "write:1wxn5fi:3yxmqd,amend:1ki6w3c:5tcgw",
  ],
  [
    "a header can be read while its version goes down",
    "seed=5 compat=0.10 clusterBytes=16384 backing=raw snapshots=true resize=true amend=true " +
    "discard=unmap caches=too_small overlapCheck=all depth=4 faults=short sparse=1 steps=" +
    "amend:w0kosk:16n9fej,amend:cobdtm:him78o",
  ],
  [
    "a header field that was written, though its write failed, is put back",
    "seed=82 clusterBytes=16384 lazyRefcounts=true backing=qcow2 compression=zstd extendedL2=true " +
    "bitmaps=true snapshots=true amend=true preallocation=metadata discard=pass_all overlapCheck=constant " +
    "faults=EIO point=159 steps=" +
    "lose_power:re3gl7:z7c7p5,write:1uw3puh:to4f5o,write:1sdnoqw:1qm13a8,write:1xzoill:11cv2s8," +
    "write:11xma9n:okjgu8,write:1f3fgqs:fi4g25,write:h8oind:1fmfq8f,commit:15a3al7:ify3by," +
    "write:1n4ay6i:40s8bn,write_through:py4vd:1sfmx7u,snapshot:1v9yrdj:15mtn9w,apply:1t4479:14vxri9," +
    "compress:k1227u:77gdop,zero_and_unmap:1ab1gkx:17nkikm,write_through:1bhph73:xzja58," +
    "write:u8mz81:gcd2ux,write:hkkb71:nxyvvy,commit:42ajoq:1m8nvot,amend:1opsago:xjtupt," +
    "apply:k39a33:1ekl36p,zero_and_unmap:1bznufy:1udris8,snapshot:19svrmj:ptxcu2," +
    "snapshot:1gdx59j:q9swlm,zero:1tzm9vj:1yqxxa3",
  ],
  [
    "an image that is laid out anew does not write over the tables that it still has",
    "seed=10 clusterBytes=2097152 refcountBits=1 lazyRefcounts=true backing=raw compression=zstd " +
    "extendedL2=true bitmaps=true snapshots=true resize=true caches=too_small depth=4 point=12393 steps=" +
    "write:irj8pl:1hh1trg,write:itn9tg:1sc4da9,flush:6f42hh:1f70qgl,snapshot:bowxhl:ulq8nq," +
    "delete:m5vre7:13r3dfb,compress:10a2ar5:6m357z,flush:1d1g6ke:tc6izb,flush:b5u5tv:15r9r9o," +
    "zero_and_unmap:rl23r8:1vtbke7,lose_power:16o41ke:vr20vb,resize:x06nje:u2hmd3," +
    "lose_power:10fg9i0:3w8p06,repair:6hj0b2:1cxz4wm,zero_and_unmap:1dm7qqr:1ld0v1g," +
    "read:lggpqk:769zh4,write:11fhpt5:10zt11a,write:p7bzwm:1qatwfs,write:kjs7ou:18wlh02," +
    "flush:gg24i5:1hm7lno,write:t2zkfy:ydfgxs,write:kpcov1:18moc8y,write:9k0xix:1jtpa5f," +
    "read:1wv0cvb:1tnqakn,bitmap:smmmw2:1l8rdhp,compress:1av6a5h:1hukq2t,read:g0msak:qso76s," +
    "read:1748eit:6ohvzr,discard:8cpqs5:zgkurk,apply:1e7edef:xalnxq,read:kvs3sn:p5s1yp," +
    "snapshot:2nalwh:1p76dwa,write:106amdh:1az2d2p,read:cfenrc:1mjel7y,compress:wz0nr1:33g4z4," +
    "write:18knwxp:uallj1,compress:fk2jl9:109fbgm,snapshot:1i8cwgk:26q23z,read:vtj8qs:1da4ulx," +
    "delete:1j640f7:i208wz,write:10xzztn:1aiqt4o,commit:teeqec:1izygdx",
  ],
  [
    "a header that a failed change left as a bridge keeps the name that it leads to until it has gone",
    "seed=124 clusterBytes=16384 refcountBits=32 backing=raw extendedL2=true bitmaps=true snapshots=true " +
    "amend=true caches=too_small depth=4 faults=EIO sparse=1 point=405 steps=" +
    "snapshot:1s0suy7:u1tzv2,snapshot:1jm8bv2:qbo9m1,write:ai3ylc:1mkfjc8,zero:1ado730:19jnnil," +
    "write:zr6tlt:539t,zero_and_unmap:1v7jjbt:11nbtqg,snapshot:i7d96e:bxb373," +
    "write:1wwl9kt:1y8a4s1,write:v7whos:1jwm0wp,write:1y8cutx:6hf08y,read:bjd7ss:18sd8fr," +
    "commit:lplchx:kaak01,write_through:1gd7rqx:khajyk,read:1mbpb9i:16rbiap,write:1960k4u:ezfy9p," +
    "reopen:l9l9q0:iez2wx,apply:t6h3mf:1yi1tro,bitmap:a8np09:18zo7rd," +
    "write_through:1172xvi:w9s0dl,write:1m0ypu2:1bmrr9m,delete:9lgmua:1xojif0," +
    "write:1nnucqz:mw2mtd,reopen:428c98:40x7nl,bitmap:1n4ngeq:1gvcpt7",
  ],
  [
    "a snapshot for which shared clusters have no references left changes nothing",
    "seed=270 clusterBytes=2048 refcountBits=2 lazyRefcounts=true compression=zstd bitmaps=true snapshots=true resize=true preallocation=falloc discard=unmap overlapCheck=all faults=short point=14 steps=" +
    "compress:1ogeuwn:ieff3a,bitmap:ux6m3e:19gje3d,compress:zim09d:kni2ky,snapshot:3izpw2:12g75ho",
  ],
];
