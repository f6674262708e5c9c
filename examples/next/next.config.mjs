/** @type {import('next').NextConfig} */
export default {
  // A native addon cannot be bundled. Without this line the build fails.
  serverExternalPackages: ['clustershazbot'],
};
