// Runs before every npm script, on whatever Node the machine has: plain JavaScript on purpose.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 15)) {
  console.error(
    `Bobbin needs Node 24.15 or newer, but this is Node ${process.versions.node}.\n` +
      "`npm ci` brings the right one along: run it in this folder (without --ignore-scripts or\n" +
      "--omit=dev), then start again with `npm start`. In production use a Node 24 image.",
  );
  process.exit(1);
}
