internal import Glibc
internal import IPC

extension Config {
    /// Tells the owner which local files transfers may use; nil if no host allows transfers.
    func localFilesNotice(userID: UInt32 = geteuid()) -> String? {
        guard policy.hosts.contains(where: \.capabilities.fileWrite) else { return nil }
        guard let roots = localRoots else {
            return userID == 0
                ? "local_roots is not set: a daemon of root opens no local file; name the directories for transfers in it"
                : "local_roots is not set: transfers may read and create every local file that uid \(userID) may, but for "
                    + "hidden ones, those of the system and those in PATH; name the directories for transfers in it"
        }
        return roots.isEmpty
            ? "local_roots is empty: transfers may use no local file"
            : "local_roots: transfers may read and create local files in \(roots.joined(separator: ", "))"
    }
}
