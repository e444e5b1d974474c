extension Limits {
    /// Of the worker, and of each `ssh`.
    ///
    /// `data` is above the largest answer that the config allows, two streams of 16 MiB of control characters, which take six
    /// bytes each in JSON and seven more as text, and the results that wait. `openFiles`: three pipes and a pidfd for each of
    /// some 120 `ssh` processes, and 128 local files that are uploaded; with the 253 descriptors of one message more, those in flight stay below 1,024, which is the
    /// usual limit of the user's other processes.
    public static let worker = Limits(data: 2 << 30, addressSpace: 4 << 30, openFiles: 640, addedTasks: 1024)
}
