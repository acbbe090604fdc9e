/**
 * Numbers of the Linux system call interface on x86-64.
 *
 * Source: the kernel's uapi headers (fcntl.h, stat.h, falloc.h, fs.h, cdrom.h, magic.h).
 *
 * @module
 */

/** The bits that say whether a file is read, written, or both. */
export const O_ACCMODE = 0o3;
export const O_RDONLY = 0o0;
export const O_RDWR = 0o2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_NONBLOCK = 0o4000;
export const O_DSYNC = 0o10000;
export const O_DIRECT = 0o40000;
export const O_CLOEXEC = 0o2000000;
/** Names a file without opening it: a device does nothing, a FIFO does not wait. */
export const O_PATH = 0o10000000;

export const SEEK_SET = 0;
export const SEEK_END = 2;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

export const F_GETFD = 1;
export const F_SETFL = 4;
export const F_DUPFD_CLOEXEC = 1030;
export const F_GETFL = 3;
export const F_OFD_GETLK = 36;
export const F_OFD_SETLK = 37;
export const F_RDLCK = 0;
export const F_WRLCK = 1;
export const F_UNLCK = 2;

export const EFD_CLOEXEC = 0o2000000;
export const POLLIN = 0x01;
export const POLLOUT = 0x04;
export const POLLHUP = 0x10;
export const TCSANOW = 0;

export const FALLOC_FL_KEEP_SIZE = 0x01;
export const FALLOC_FL_PUNCH_HOLE = 0x02;
export const FALLOC_FL_ZERO_RANGE = 0x10;

/** Flag of preadv2: return at once with what the page cache has, EAGAIN for nothing. */
export const RWF_NOWAIT = 0x08;
/** Flag of pwritev2 and of ring requests: durable when it returns. */
export const RWF_DSYNC = 0x02;

export const AT_EMPTY_PATH = 0x1000;
export const AT_FDCWD = -100;
export const STATX_BASIC_STATS = 0x7ff;
export const STATX_DIOALIGN = 0x2000;

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFBLK = 0o060000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

export const POSIX_FADV_DONTNEED = 4;

export const BLKROGET = 0x125en;
export const BLKFLSBUF = 0x1261n;
export const BLKSSZGET = 0x1268n;
export const BLKDISCARD = 0x1277n;
export const BLKPBSZGET = 0x127bn;
export const BLKZEROOUT = 0x127fn;
export const BLKGETSIZE64 = 0x80081272n;

export const CDROMEJECT = 0x5309n;
export const CDROMCLOSETRAY = 0x5319n;
export const CDROM_DRIVE_STATUS = 0x5326n;
export const CDROM_LOCKDOOR = 0x5329n;
export const CDS_DISC_OK = 4;

export const FS_IOC_GETFLAGS = 0x80086601n;
export const FS_IOC_SETFLAGS = 0x40086602n;
export const FS_NOCOW_FL = 0x00800000;
/** struct fsxattr is 28 bytes: xflags, extsize, nextents, projid, cowextsize, padding. */
export const FS_IOC_FSGETXATTR = 0x801c581fn;
export const FS_IOC_FSSETXATTR = 0x401c5820n;
export const FS_XFLAG_EXTSIZE = 0x00000800;

/** File systems whose writes can wait for a network: the `f_type` of statfs. */
export const NETWORK_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x517b, // SMB
  0x01021997, // 9P
  0x65735546, // FUSE
  0x00c36400, // Ceph
  0x5346414f, // AFS
  0x6b414653, // kAFS
  0x7461636f, // OCFS2
  0x01161970, // GFS2
  0x0bd00bd0, // Lustre
  0x786f4256, // VirtualBox shared folders
]);

/** ext2, ext3 and ext4 alike: the `f_type` of statfs. */
export const EXT4_SUPER_MAGIC = 0xef53;

/** tmpfs and ramfs. */
export const MEMORY_FILE_SYSTEMS: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

export const SYS_IO_URING_SETUP = 425;
export const SYS_IO_URING_ENTER = 426;
