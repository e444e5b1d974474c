/// The extensions that are used if the server offers them, OpenSSH PROTOCOL section 4.
enum SFTPExtension: String, CaseIterable, Sendable {
    case limits = "limits@openssh.com"
    case posixRename = "posix-rename@openssh.com"
    case fsync = "fsync@openssh.com"
    case statvfs = "statvfs@openssh.com"
    case hardlink = "hardlink@openssh.com"
}
